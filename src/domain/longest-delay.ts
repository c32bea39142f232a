/**
 * The longest delay of a timer in milliseconds, 24.8 days: Node fires a longer one after 1 ms.
 * Source: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args
 */
export const longestDelayMs = 2_147_483_647;

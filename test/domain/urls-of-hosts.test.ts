import { expect, test } from "vitest";
import { urlsOfHosts } from "../../src/domain/urls-of-hosts.js";

test.each([
  ["postgres://a/db", ["postgres://a/db"]],
  [
    "postgres://a:5432,b:5433/db?sslmode=require",
    ["postgres://a:5432/db?sslmode=require", "postgres://b:5433/db?sslmode=require"],
  ],
  [
    "postgresql://u:p%2Cq@a,[::1]:5433,c",
    ["postgresql://u:p%2Cq@a", "postgresql://u:p%2Cq@[::1]:5433", "postgresql://u:p%2Cq@c"],
  ],
  ["postgres://u:p,q@a/db", ["postgres://u:p,q@a/db"]],
  ["postgres://a/db?options=x,y", ["postgres://a/db?options=x,y"]],
  ["no url, at all", ["no url, at all"]],
])("%s names each host with all the rest", (url, urls) => {
  expect(urlsOfHosts(url)).toEqual(urls);
});

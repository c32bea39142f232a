process.on("message", (message) => {
  if (message !== "end") return void process.send?.({ heard: `${message} ${process.argv[2]}` });
  console.log("bye");
  process.disconnect?.();
});
process.send?.({ ready: process.pid });

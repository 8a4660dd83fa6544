/** What both threads beside a SQLite database do: they answer one question at a time, and tell what failed. */
import { parentPort } from "node:worker_threads";
import { messageOf } from "../../core/message.ts";
import { isPassing } from "./passing.ts";
import type { Answer, Question } from "./protocol.ts";

/** To be called once the database is open; what fails before is told as the thread's error event. */
export function serve(answer: (question: Question) => unknown): void {
  const told = (question: Question): Answer => {
    try {
      return { value: answer(question) };
    } catch (error) {
      return { error: messageOf(error), passing: isPassing(error) };
    }
  };
  parentPort?.on("message", (question: Question) => parentPort?.postMessage(told(question)));
  parentPort?.postMessage({ value: undefined } satisfies Answer);
}

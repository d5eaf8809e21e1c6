// Never run, only compiled: what the types of the API allow, and what they refuse.
import { createTaskApi, eachTask, unwrap, type NewTask, type Task, type TaskChange } from "task-api-client";

const api = createTaskApi({ baseUrl: "https://api.example", getToken: async () => null });
const params = { path: { task_id: "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10" } };

export async function aDescriptionMayBeTextOrNullOrAbsent() {
  await api.PATCH("/api/tasks/{task_id}", { params, body: { description: "2 litres" } });
  await api.PATCH("/api/tasks/{task_id}", { params, body: { description: null } });
  await api.PATCH("/api/tasks/{task_id}", { params, body: {} });
  await api.PUT("/api/tasks/{task_id}", { params, body: { description: null } });
  // @ts-expect-error a number is no description
  await api.PATCH("/api/tasks/{task_id}", { params, body: { description: 2 } });
}

export const aTitleIsRequiredAtFirstAndNeverNull: [NewTask, TaskChange] = [{ title: "Buy milk" }, {}];
// @ts-expect-error a new task needs a title
export const withoutTitle: NewTask = {};
// @ts-expect-error a title cannot be cleared
export const clearedTitle: TaskChange = { title: null };
// @ts-expect-error there are three statuses
export const oddStatus: TaskChange = { status: "done" };

export async function aTaskThatWasReadMayBeSentBack(task: Task): Promise<Task> {
  const { data, error } = await api.PUT("/api/tasks/{task_id}", {
    params: { ...params, header: { "If-Match": `"${task.version}"` } },
    body: task,
  });
  if (error) throw new Error(error.code === "version_mismatch" ? "Somebody was faster" : error.detail);
  return data;
}

export async function anAnsweredDescriptionIsTextOrNull() {
  for await (const { description } of eachTask(api, { sort: "-updated_at", status: ["pending"] })) {
    const text: string | null = description;
    // @ts-expect-error it may be null
    text.length;
  }
  // @ts-expect-error a mistyped parameter would be a 422
  eachTask(api, { sotr: "title" });
}

export async function theDataOfAnAnswerIsThatOfItsOperation() {
  const deleted: number = unwrap(await api.DELETE("/api/tasks", { params: { query: { status: ["completed"] } } })).deleted;
  const total: number = unwrap(await api.GET("/api/tasks/summary")).total;
  // @ts-expect-error which tasks to delete must be said
  await api.DELETE("/api/tasks");
  return [deleted, total];
}

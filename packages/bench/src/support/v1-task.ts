/** A v1 body for a standard picture, as clients send it. */
export const V1_TASK_BODY = v1TaskBody("bench");

/** The same of the user that the token names. */
export function v1TaskBody(token: string): string {
  return JSON.stringify({
    token,
    standardPipeline: {
      prompt: "a lighthouse on a cliff in a storm, oil on canvas, dramatic light, high detail",
      model: "",
      size: { width: 512, height: 512 },
      steps: 20,
    },
  });
}

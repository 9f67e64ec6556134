import * as pulumi from "@pulumi/pulumi";

/** The answer of a provider's function; a refusal is a sentence for people and not an exception with a stack. */
export async function answerOf<T>(
  component: pulumi.ComponentResource,
  answer: Promise<T>,
  problem: string,
  remedy: string,
): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    // The SDK puts "invocation of … returned an error:" before what the provider said.
    const said = (error as Error).message.replace(/^[Ii]nvocation of \S+ returned an error: /, "").trim();
    throw new pulumi.ResourceError(`${problem}: ${said}\n${remedy}`, component, true);
  }
}

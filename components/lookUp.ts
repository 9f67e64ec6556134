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

/**
 * A value, known only when every resource that it comes from is there. A resource's name is known in the preview that
 * creates it, when nothing can be looked up by it.
 */
export function onceMade<T>(value: pulumi.Output<T>): pulumi.Output<T> {
  const source = value as unknown as { allResources: () => Promise<Set<pulumi.Resource>> };
  const ids = source
    .allResources()
    .then((all) => [...all].flatMap((one) => (pulumi.CustomResource.isInstance(one) ? [one.id] : [])));
  return pulumi.all([value, ids]).apply(([known]) => known as T);
}

import { UserError } from "../common/userError";
import { requireOwnKey } from "./set";
import { SECRETS_FILE } from "./names";
import { readSecretsFile, type Workplace } from "./workplace";

/** Opens the secrets in the person's editor; sops encrypts what was changed when the editor ends. */
export async function edit(place: Workplace): Promise<void> {
  requireOwnKey(place);
  if (readSecretsFile(place) === "") {
    throw new UserError(`There is no ${SECRETS_FILE} yet. Store a first secret with \`npm run secrets -- set NAME\`.`);
  }
  const changed = await (await place.sops()).edit();
  place.person.tell(changed ? `Commit ${SECRETS_FILE}; the machine has it after the merge.` : "Nothing was changed.");
}

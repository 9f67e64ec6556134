import { testEdits } from "./edits/edit";
import { INTEGRATION } from "./edits/integration";

testEdits("continuous integration", INTEGRATION);

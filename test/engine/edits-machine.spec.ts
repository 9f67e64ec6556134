import { testEdits } from "./edits/edit";
import { MACHINE } from "./edits/machine";

testEdits("the machine", MACHINE);

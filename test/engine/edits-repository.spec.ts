import { testEdits } from "./edits/edit";
import { DEPLOYMENT, REPOSITORY } from "./edits/repository";

testEdits("the repository", REPOSITORY);
testEdits("the deployment", DEPLOYMENT);

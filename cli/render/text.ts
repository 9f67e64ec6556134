// One implementation for reports and for deployments, whose program imports nothing that is not beside it.
export {
  SECRET,
  shortened,
  shortenedLines,
  escapeInvisible,
  withoutColours,
  withoutSecrets,
} from "../../components/deploy/text.mjs";

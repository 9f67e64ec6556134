export { until as eventually } from "../../cli/rehearse/until";

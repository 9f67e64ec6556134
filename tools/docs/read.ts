import * as path from "node:path";
import ts from "typescript";

/** An argument, an output, or a property of a settings type. */
export interface Property {
  name: string;
  /** As it is written, without Pulumi's wrappers: `string[]`. */
  type: string;
  optional: boolean;
  /** Whether an output of another resource may be given, or a plain value only. */
  plain: boolean;
  description: string;
  default?: string;
}

/** A named set of properties: what a component takes beside others, or a part of its arguments. */
export interface Properties {
  /** Name of the interface. */
  name: string;
  description: string;
  properties: Property[];
}

export interface Component {
  name: string;
  description: string;
  /** A program that uses it, without its imports. */
  example: string;
  /** File in components/. */
  source: string;
  /** Its own arguments, then those of the interfaces that they extend. */
  args: Properties[];
  outputs: Property[];
}

export interface Package {
  components: Component[];
  /** The interfaces of the index that are no component's arguments, such as `MachineSettings`. */
  settings: Properties[];
}

/** Reads names, types and descriptions of what the package exports from its sources. */
export function readPackage(root: string): Package {
  const { components, interfaces } = readExports(path.join(root, "components/index.ts"));
  const ofComponents = new Set(components.map(({ args }) => args[0]!.name));
  return { components, settings: interfaces.filter(({ name }) => !ofComponents.has(name)) };
}

function readExports(index: string): { components: Component[]; interfaces: Properties[] } {
  const { NodeNext } = ts.ModuleKind;
  const program = ts.createProgram([index], { strict: true, module: NodeNext, target: ts.ScriptTarget.ES2022 });
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(index)!;
  const exported = checker
    .getExportsOfModule(checker.getSymbolAtLocation(file)!)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol));

  const declared = exported.map((symbol) => symbol.declarations![0]!);
  const interfaces = declared.filter(ts.isInterfaceDeclaration).map((declaration) => readInterface(declaration));
  const components = declared.filter(ts.isClassDeclaration).map((declaration) => readComponent(declaration));
  return { components, interfaces };

  function readComponent(declaration: ts.ClassDeclaration): Component {
    const { parameters } = declaration.members.find(ts.isConstructorDeclaration)!;
    const args = parameters.find(({ name }) => name.getText() === "args")!;
    return {
      name: declaration.name!.text,
      description: descriptionOf(declaration.name!),
      example: exampleOf(declaration.name!),
      source: path.relative(path.dirname(index), declaration.getSourceFile().fileName),
      args: withBases(checker.getTypeAtLocation(args.type!).symbol.declarations![0] as ts.InterfaceDeclaration),
      outputs: declaration.members.filter(ts.isPropertyDeclaration).map(readProperty),
    };
  }

  /** An interface and those that it extends, each with its own properties. */
  function withBases(declaration: ts.InterfaceDeclaration): Properties[] {
    const bases = (declaration.heritageClauses ?? []).flatMap(({ types }) => [...types]);
    return [
      readInterface(declaration),
      ...bases.flatMap((base) =>
        withBases(checker.getTypeAtLocation(base).symbol.declarations![0] as ts.InterfaceDeclaration),
      ),
    ];
  }

  function readInterface(declaration: ts.InterfaceDeclaration): Properties {
    return {
      name: declaration.name.text,
      description: descriptionOf(declaration.name),
      properties: declaration.members.filter(ts.isPropertySignature).map(readProperty),
    };
  }

  function readProperty(declaration: ts.PropertySignature | ts.PropertyDeclaration): Property {
    const symbol = checker.getSymbolAtLocation(declaration.name)!;
    const written = declaration.type!.getText();
    const tag = symbol.getJsDocTags(checker).find(({ name }) => name === "default");
    return {
      name: symbol.name,
      type: written.replaceAll(/pulumi\.(?:Input|Output)<((?:[^<>]|<[^<>]*>)*)>/g, "$1"),
      optional: declaration.questionToken !== undefined,
      plain: !written.includes("pulumi."),
      description: descriptionOf(declaration.name),
      default: tag && oneLine(ts.displayPartsToString(tag.text)),
    };
  }

  function exampleOf(name: ts.Node): string {
    const tag = checker
      .getSymbolAtLocation(name)!
      .getJsDocTags(checker)
      .find((one) => one.name === "example");
    return /^```ts\n(.*)\n```$/s.exec(ts.displayPartsToString(tag?.text).trim())?.[1] ?? "";
  }

  function descriptionOf(name: ts.Node): string {
    return ts.displayPartsToString(checker.getSymbolAtLocation(name)!.getDocumentationComment(checker));
  }
}

/** The interfaces that one file exports. */
export function readInterfaces(file: string): Properties[] {
  return readExports(file).interfaces;
}

/** Lines of a source are broken for its width. */
function oneLine(text: string): string {
  return text.replaceAll(/(?<!\s)\s*\n\s*/g, " ");
}

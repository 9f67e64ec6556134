# The parts of nixpkgs' library that the modules use, and a small module system: options with their
# types and defaults, mkIf, mkMerge, mkDefault and mkForce. See flake.nix for what it cannot show.
let
  inherit (builtins)
    all
    any
    attrNames
    concatLists
    concatMap
    elem
    filter
    foldl'
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    mapAttrs
    match
    tail
    toJSON
    ;

  type = description: check: { inherit description check; };
  property = kind: value: isAttrs value && value._type or null == kind;
  isPlainSet =
    value:
    isAttrs value && !(value ? _type) && (value.type or null) != "derivation" && !(value ? outPath);

  # What a value is, once its condition and priority are known: a list of { priority, value }.
  discharge =
    priority: value:
    if property "if" value then
      if value.condition then discharge priority value.content else [ ]
    else if property "merge" value then
      concatMap (discharge priority) value.contents
    else if property "override" value then
      discharge value.priority value.content
    else
      [ { inherit priority value; } ];

  # The attribute of a value, its conditions and priorities pushed down to it unevaluated, so that a
  # condition may depend on other options of the same set.
  descend =
    name: value:
    if property "if" value then
      map (mkIf value.condition) (descend name value.content)
    else if property "merge" value then
      concatMap (descend name) value.contents
    else if property "override" value then
      map (mkOverride value.priority) (descend name value.content)
    else if value ? ${name} then
      [ value.${name} ]
    else
      [ ];

  combine =
    path: definitions:
    let
      values = map (definition: definition.value) definitions;
      lowest = foldl' (least: d: if d.priority < least then d.priority else least) 9999 definitions;
      winners = map (d: d.value) (filter (d: d.priority == lowest) definitions);
    in
    if definitions != [ ] && all isPlainSet values then
      listToAttrs (
        map (name: {
          inherit name;
          value = combine "${path}.${name}" (
            concatMap (d: if d.value ? ${name} then discharge d.priority d.value.${name} else [ ]) definitions
          );
        }) (attrNames (foldl' (a: b: a // b) { } values))
      )
    else if length winners == 1 then
      head winners
    else if all isList winners then
      concatLists winners
    else if winners != [ ] && all (value: value == head winners) winners then
      head winners
    else if winners != [ ] && all isString winners then
      lib.concatStringsSep "\n" winners
    else
      throw "${path}: ${toString (length winners)} definitions do not fit together";

  # The declared options, each with its value. Lists are joined, as everywhere.
  fill =
    path: options: contents:
    mapAttrs (
      name: option:
      let
        here = if path == "" then name else "${path}.${name}";
        inside = concatMap (descend name) contents;
        # A definition that a condition takes away leaves an empty set behind in a set of options.
        definitions =
          concatMap (discharge 100) inside
          ++ (
            if option ? default then
              [
                {
                  priority = 1500;
                  value = option.default;
                }
              ]
            else
              [ ]
          );
        value = combine here definitions;
      in
      if option._type or null != "option" then
        fill here option inside
      else if option ? apply then
        option.apply value
      else if option.type.check value then
        complete here option.type value
      else
        throw "The option ${here} is not of type ${option.type.description}: ${toJSON value}"
    ) options;

  # What the types inside a type add to a value: the defaults of a submodule.
  complete =
    path: of: value:
    if value == null then null else (of.complete or (_: value: value)) path value;

  # The declared options as modules see them: with what was defined, and how strongly.
  withDefinitions =
    options: contents:
    mapAttrs (
      name: option:
      let
        inside = concatMap (descend name) contents;
        definitions = concatMap (discharge 100) inside;
        highestPrio = foldl' (least: d: if d.priority < least then d.priority else least) 1500 definitions;
      in
      if option._type or null != "option" then
        withDefinitions option inside
      else
        option
        // {
          inherit highestPrio;
          isDefined = option ? default || definitions != [ ];
          definitions = map (d: d.value) (filter (d: d.priority == highestPrio) definitions);
        }
    ) options;

  undeclared =
    path: options: value:
    if isPlainSet value then
      concatMap (
        name:
        let
          here = "${path}.${name}";
        in
        if !(options ? ${name}) then
          [ here ]
        else if options.${name}._type or null == "option" then
          [ ]
        else
          concatMap (undeclared here options.${name}) (map (d: d.value) (discharge 100 value.${name}))
      ) (attrNames value)
    else
      [ ];

  merge =
    a: b:
    a
    // mapAttrs (
      name: value: if a ? ${name} && !(a.${name} ? _type) then merge a.${name} value else value
    ) b;

  # A file that several modules import counts once, as in NixOS: what it is called by its path, and what has none by its
  # place in the module that imports it.
  collectAll =
    arguments: modules:
    foldl' (parts: part: if any (p: p.key == part.key) parts then parts else parts ++ [ part ]) [ ] (
      collect arguments "" modules
    );

  collect =
    arguments: parent: modules:
    concatLists (
      builtins.genList (
        at:
        let
          module = builtins.elemAt modules at;
          isFile = isPath module || isString module;
          key = if isFile then toString module else "${parent}:${toString at}";
          loaded = if isFile then import module else module;
          plain = if isFunction loaded then loaded arguments else loaded;
          body = removeAttrs plain [
            "imports"
            "options"
            "config"
          ];
        in
        collect arguments key (plain.imports or [ ])
        ++ [
          {
            inherit key;
            options = plain.options or { };
            config = plain.config or body;
          }
        ]
      ) (length modules)
    );

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };

  # The options of NixOS 26.05, with their defaults.
  autoUpgrade = {
    allowReboot = false;
    channel = null;
    dates = "04:40";
    enable = false;
    fixedRandomDelay = false;
    flags = [ ];
    flake = null;
    operation = "switch";
    persistent = true;
    randomizedDelaySec = "0";
    rebootWindow = null;
    runGarbageCollection = false;
    upgrade = true;
  };

  # What of NixOS's own values the modules read.
  nixos = {
    assertions = [ ];
    warnings = [ ];
    system.autoUpgrade = mapAttrs (_: mkOverride 1500) autoUpgrade;
    nix.package = mkOverride 1500 {
      type = "derivation";
      name = "nix";
      outPath = "/stub/nix";
    };
    services.openssh = {
      enable = mkOverride 1500 false;
      ports = mkOverride 1500 [ 22 ];
    };
    # As sops-nix declares a secret.
    sops.secrets.github-access-token.path = mkOverride 1500 "/run/secrets/github-access-token";
  };

  # Where only what is declared may be set.
  ours = [
    "continuousDeployment"
    "pulumiNixos"
  ];

  attrByPath =
    path: default: set:
    if path == [ ] then
      set
    else if set ? ${head path} then
      attrByPath (tail path) default set.${head path}
    else
      default;
  setAttrByPath =
    path: value: if path == [ ] then value else { ${head path} = setAttrByPath (tail path) value; };

  # As nixpkgs' lib/modules.nix has it.
  mkRenamedOptionModule =
    from: to:
    { config, options, ... }:
    let
      old = attrByPath from null options;
      shown = builtins.concatStringsSep ".";
    in
    {
      options = setAttrByPath from {
        _type = "option";
        description = "Alias of {option}`${shown to}`.";
        apply = _: attrByPath to (throw "there is no option ${shown to}") config;
      };
      config = {
        _type = "merge";
        contents = [
          {
            warnings =
              if old.isDefined then [ "The option `${shown from}' has been renamed to `${shown to}'." ] else [ ];
          }
          (mkIf old.isDefined (
            setAttrByPath to {
              _type = "merge";
              contents = map (mkOverride old.highestPrio) old.definitions;
            }
          ))
        ];
      };
    };

  evalModules =
    modules:
    let
      parts = collectAll arguments modules;
      options = foldl' merge { } (map (part: part.options) parts);
      contents = [ nixos ] ++ map (part: part.config) parts;
      names = attrNames (foldl' (a: b: a // b) { } (concatMap sets contents));
      # The sets behind a value's properties, whether their conditions hold or not.
      sets =
        value:
        if property "if" value then
          sets value.content
        else if property "merge" value then
          concatMap sets value.contents
        else
          [ value ];
      free = listToAttrs (
        map (name: {
          inherit name;
          value = combine name (concatMap (discharge 100) (concatMap (descend name) contents));
        }) (filter (name: !(options ? ${name})) names)
      );
      config = free // fill "" options contents;
      arguments = {
        inherit config lib;
        options = withDefinitions (
          options
          // {
            system.autoUpgrade = mapAttrs (_: _: { _type = "option"; }) autoUpgrade;
          }
        ) contents;
        pkgs = (import ./packages.nix).x86_64-linux;
        modulesPath = toString ./modules;
      };
      wrong = concatMap (
        name:
        concatMap (undeclared name (options.${name} or { })) (
          map (d: d.value) (concatMap (discharge 100) (concatMap (descend name) contents))
        )
      ) ours;
      failed = map (a: a.message) (filter (a: !a.assertion) config.assertions);
    in
    {
      inherit options;
      config = if wrong != [ ] then throw "There is no option ${head wrong}" else config;
      inherit failed;
    };

  lib = {
    inherit
      all
      any
      attrNames
      concatLists
      concatMap
      elem
      filter
      head
      length
      listToAttrs
      mapAttrs
      tail
      attrByPath
      evalModules
      mkIf
      mkRenamedOptionModule
      mkOverride
      ;
    mkOption = option: option // { _type = "option"; };
    mkMerge = contents: {
      _type = "merge";
      inherit contents;
    };
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    literalExpression = text: text;
    literalMD = text: text;

    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: values: if condition then values else [ ];
    optionalString = condition: text: if condition then text else "";
    optionalAttrs = condition: set: if condition then set else { };
    hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
    boolToString = value: if value then "true" else "false";
    concatStringsSep = builtins.concatStringsSep;
    splitString = separator: text: filter isString (builtins.split "[${separator}]" text);
    importJSON = file: builtins.fromJSON (builtins.readFile file);
    genAttrs =
      names: f:
      listToAttrs (
        map (name: {
          inherit name;
          value = f name;
        }) names
      );
    nameValuePair = name: value: { inherit name value; };
    mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (attrNames set));
    getExe' = program: name: "${program}/bin/${name}";
    getExe = program: "${program}/bin/${program.meta.mainProgram}";

    types = {
      str = type "string" isString;
      lines = type "lines" isString;
      bool = type "boolean" isBool;
      package = type "package" (value: value.type or null == "derivation");
      path = type "path" (value: isPath value || (isString value && match "/.*" value != null));
      port = type "port" (value: isInt value && value >= 0 && value <= 65535);
      ints.positive = type "positive integer" (value: isInt value && value > 0);
      ints.between =
        low: high:
        type "integer between ${toString low} and ${toString high}" (
          value: isInt value && value >= low && value <= high
        );
      ints.unsigned = type "unsigned integer" (value: isInt value && value >= 0);
      strMatching =
        pattern: type "string matching ${pattern}" (value: isString value && match pattern value != null);
      enum = values: type "one of ${toJSON values}" (value: elem value values);
      nullOr = inner: type "null or ${inner.description}" (value: value == null || inner.check value);
      attrsOf =
        inner:
        type "set of ${inner.description}" (
          value: isAttrs value && all inner.check (builtins.attrValues value)
        )
        // {
          complete = path: mapAttrs (name: complete "${path}.${name}" inner);
        };
      submodule =
        module:
        type "submodule" isAttrs
        // {
          complete =
            path: value:
            let
              unknown = filter (name: !(module.options ? ${name})) (attrNames value);
            in
            if unknown == [ ] then
              fill path module.options [ value ]
            else
              throw "There is no option ${path}.${head unknown}";
        };
      addCheck = inner: more: inner // { check = value: inner.check value && more value; };
      listOf = inner: type "list of ${inner.description}" (value: isList value && all inner.check value);
    };

    # The system is one derivation that holds what our modules ask for, as text.
    nixosSystem =
      { modules }:
      let
        evaluated = evalModules modules;
        parts = removeAttrs evaluated.config (
          ours
          ++ [
            "assertions"
            "warnings"
          ]
        );
      in
      if evaluated.failed != [ ] then
        throw "Failed assertions: ${builtins.concatStringsSep "; " evaluated.failed}"
      else
        evaluated
        // {
          config = evaluated.config // {
            system = evaluated.config.system // {
              build.toplevel = derivation {
                name = "nixos-system-stub";
                system = "x86_64-linux";
                builder = "/bin/sh";
                configuration = toJSON parts;
              };
            };
          };
        };
  };
in
lib

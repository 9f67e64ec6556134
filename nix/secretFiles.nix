# What in a folder must not be there: private keys, tokens and passwords, and secrets that nobody
# encrypted. A flake's folder is copied whole into the Nix store, which every user of the machine
# can read, so such a file is refused when the system is evaluated. Only builtins: this runs before
# nixpkgs is there.
#
#   import ./secretFiles.nix ./.   ->  [ "id_ed25519: …" "secrets.yaml: …" ]
#
# The same search as `npm run secrets -- check` and every deployment make (flakeSecrets.mjs), by the
# same forms (secretForms.json). What only they can: look into files that are not text, which Nix
# cannot read; such a file, by its name or by .gitattributes (binary, or a filter, as git-crypt has
# it), is left out here. As `path:./nix`, Nix does not have the project's .gitattributes, and a file
# that git-crypt locked would stop every evaluation: only what is surely text is searched then. The
# deployment has searched all of it before, and the merge's check and the machine have the whole
# repository.
folder:

let
  inherit (builtins)
    any
    attrNames
    concatMap
    dirOf
    elemAt
    filter
    foldl'
    genList
    head
    isString
    length
    match
    pathExists
    readDir
    readFile
    replaceStrings
    split
    stringLength
    substring
    ;

  forms = builtins.fromJSON (readFile ./secretForms.json);

  matches = pattern: text: match pattern text != null;
  contains = part: text: replaceStrings [ part ] [ "" ] text != text;
  linesOf = text: filter isString (split "\n" text);

  # Names relative to the folder.
  filesBelow =
    prefix:
    let
      entries = readDir (folder + "/${prefix}");
    in
    concatMap (
      name:
      if name == ".git" then
        [ ]
      else if entries.${name} == "directory" then
        filesBelow "${prefix}${name}/"
      else if entries.${name} == "regular" then
        [ "${prefix}${name}" ]
      else
        [ ]
    ) (attrNames entries);

  files = filesBelow "";

  lastName = file: elemAt (match "(.*/)?([^/]*)" file) 1;

  # The folder above holds .sops.yaml and .gitattributes in a project. As `path:./nix`, Nix has no
  # such folder.
  aboveName = lastName (toString folder);
  above = name: folder + "/../${name}";

  # --- Text or not ---------------------------------------------------------------------------------

  # Patterns of .gitattributes whose files are not text in Git, as expressions on a path from there.
  filtered =
    text:
    concatMap (
      line:
      let
        parts = match "[ \t]*([^# \t][^ \t]*)[ \t](.*[ \t])?(filter=[^ \t]+|binary)([ \t].*)?" line;
      in
      if parts == null then [ ] else [ (globbed (head parts)) ]
    ) (linesOf (replaceStrings [ "\r" ] [ "" ] text));

  globbed =
    pattern:
    let
      inner = head (match "/?(.*)" pattern);
      atAnyDepth = !(contains "/" pattern);
      expression =
        replaceStrings
          [
            "**/"
            "/**"
            "*"
            "?"
            "."
            "+"
            "("
            ")"
            "{"
            "}"
            "|"
            "^"
            "$"
          ]
          [
            "(.*/)?"
            "/.*"
            "[^/]*"
            "[^/]"
            "[.]"
            "[+]"
            "[(]"
            "[)]"
            "[{]"
            "[}]"
            "[|]"
            "\\^"
            "[$]"
          ]
          inner;
    in
    (if atAnyDepth then "(.*/)?" else "") + expression;

  ownFilters = filtered (readIfThere (folder + "/.gitattributes"));
  filtersAbove = filtered (readIfThere (above ".gitattributes"));
  readIfThere = file: if pathExists file then readFile file else "";

  # A part of a project, without the rest: what begins a repository is not in it.
  isPart =
    dirOf (toString folder) == builtins.storeDir
    && !(any (name: pathExists (folder + "/${name}")) [
      ".git"
      ".gitattributes"
      ".gitignore"
      ".github"
    ]);

  isText =
    file:
    (isPart -> matches forms.surelyText file)
    && !(
      matches forms.binaryNames (lastName file)
      || any (pattern: matches pattern file) ownFilters
      || any (pattern: matches pattern "${aboveName}/${file}") filtersAbove
    );

  textOf =
    file:
    let
      text =
        builtins.addErrorContext
          "while searching ${file} for secrets, which only text can be: a file that is none, such as one that git-crypt locked, is named in .gitattributes (as binary, or with its filter), or lies outside of the flake's folder"
          (readFile (folder + "/${file}"));
      byteOrderMark = builtins.fromJSON ''"\ufeff"'';
    in
    if substring 0 3 text == byteOrderMark then substring 3 (stringLength text) text else text;

  # --- Keys, tokens, passwords ---------------------------------------------------------------------

  # Whether one of a mark's places in a text is of the form. The search ends at the first, and holds
  # no list of places, which a long file would have a million of.
  foundAt =
    form:
    { text, lead }:
    mark:
    let
      size = stringLength mark;
      step =
        state: part:
        if state.found then
          state
        else if isString part then
          let
            at = state.at + stringLength part;
          in
          builtins.seq at {
            inherit at;
            found = false;
          }
        else
          let
            found = state.at >= lead && state.at < lead + pieceSize && isOf form text mark state.at;
            at = state.at + size;
          in
          builtins.seq found (builtins.seq at { inherit at found; });
    in
    contains mark text
    && (foldl' step {
      at = 0;
      found = false;
    } (split (replaceStrings [ "." ] [ "[.]" ] mark) text)).found;

  # The same as asking for all of it, and most of the time only a tenth is gone through.
  begins =
    form: text:
    matches "(${form}).*" (substring 0 100 text)
    || (stringLength text > 100 && matches "(${form}).*" text);

  # No regular expression goes over a whole text: on some hundred kilobytes, such as a script of
  # the web page, Nix's run out of stack.
  isOf =
    form: text: mark: at:
    let
      start = if at > 200 then at - 200 else 0;
      earlier = substring start (at - start) text;
      # The end of the file is the end of a line.
      later = substring (at + stringLength mark) 1000 text + "\n";
    in
    (form ? last -> at > 0 && matches form.last (substring (at - 1) 1 text))
    && (form ? after -> begins form.after later)
    && (form ? before -> matches form.before earlier)
    && (form ? not -> !(begins form.not later))
    && (form ? notBefore -> !(matches form.notBefore earlier));

  # Nix goes through the whole of a text for each part of it that is taken. In pieces, that stays
  # short; each has before and after it what is looked at around a mark.
  pieceSize = 65536;
  piecesOf =
    text:
    genList (
      index:
      let
        lead = if index == 0 then 0 else 200;
      in
      {
        inherit lead;
        text = substring (index * pieceSize - lead) (lead + pieceSize + 1100) text;
      }
    ) (stringLength text / pieceSize + 1);

  secretIn =
    text: name:
    let
      pieces = piecesOf text;
      found = filter (
        form:
        (form ? "in" -> matches form."in" name)
        && any (mark: contains mark text && any (piece: foundAt form piece mark) pieces) form.marks
      ) forms.text;
      isPassword =
        matches forms.passwordNames name
        && matches ".*[^[:space:]].*" (substring 0 1000 text)
        && !(matches forms.notPasswords (substring 0 1000 text));
    in
    if found != [ ] then
      (head found).what
    else if isPassword then
      "a password, by its name"
    else
      null;

  # --- Files of SOPS -------------------------------------------------------------------------------

  # A pattern of the forms with SOPS's form of an encrypted value in it.
  completed = replaceStrings [ "<ENC>" ] [ forms.sops.value ];
  formats = builtins.mapAttrs (_: builtins.mapAttrs (_: completed)) forms.formats;

  formatOf =
    file: text:
    let
      ending = match forms.formatNames (lastName file);
    in
    if matches "[[:space:]]*[{].*" (substring 0 1000 text) || ending == null then
      "json"
    else
      {
        yml = "yaml";
        yaml = "yaml";
        env = "env";
        ini = "ini";
      }
      .${elemAt ending 1};

  # What a line is shows at its ends, and a long one would be too much for an expression.
  shortened =
    line:
    let
      size = stringLength line;
    in
    if size < 2000 then line else substring 0 1000 line + substring (size - 1000) 1000 line;

  # A long line with short runs of blanks, which are all the same to the expression for encrypted
  # lines, and would take it cubic time.
  squeezed =
    line:
    let
      many = "                ";
      fewer = replaceStrings [ many ] [ " " ];
    in
    if stringLength line < 100 then line else fewer (fewer (replaceStrings [ "\t" ] [ " " ] line));

  # Line by line: whether SOPS's own block is there, the first line outside of it that holds
  # something readable, and whether a rule left it so.
  factsOf =
    file: text:
    let
      name = formatOf file text;
      format = formats.${name};
      step =
        facts: long:
        let
          line = shortened long;
          closes = facts.inBlock && matches format.close line;
          inBlock = facts.inBlock && !closes;
          isOwn = inBlock || (format.metadata != "" && matches format.metadata line);
          opens = format.open != "" && matches format.open line;
          rule = match forms.sops.readableRule line;
          leavesReadable =
            rule != null
            && !(elemAt rule 1 == "unencrypted_suffix" && matches forms.sops.usualSuffix (elemAt rule 2));
          indentation = stringLength (head (match "([ \t]*).*" line));
          isBelow = facts.below != null && (indentation > facts.below || matches "[ \t]*" line);
          next =
            if closes && name == "json" then
              facts // { inBlock = false; }
            else if isOwn then
              facts
              // {
                encrypted = facts.encrypted || matches forms.sops.mac line;
                byRule = facts.byRule || leavesReadable;
              }
            else if opens then
              facts
              // {
                inBlock = true;
                below = null;
              }
            else if isBelow then
              facts // { inherit inBlock; }
            else if matches format.leftReadable line then
              facts
              // {
                inherit inBlock;
                below = indentation;
              }
            else
              facts
              // {
                inherit inBlock;
                below = null;
                plain =
                  if facts.plain == null && !(matches format.encrypted (squeezed line)) then line else facts.plain;
              };
        in
        builtins.deepSeq next next;
    in
    foldl' step {
      encrypted = false;
      byRule = false;
      inBlock = false;
      below = null;
      plain = null;
    } (linesOf (replaceStrings [ "\r" ] [ "" ] text));

  # The patterns of a .sops.yaml, as far as Nix's expressions can say them; as creationRules.mjs.
  pathPatterns =
    text:
    concatMap (
      line:
      let
        parts = match ''([^#]*[ \t{,-])?["']?path_regex["']?:[ \t]*("([^"]*)".*|'([^']*)'.*|([^ \t"'].*))'' line;
        part = elemAt parts;
        # Only in a map in a line do a comma and a brace end a text.
        end = if part 0 != null && contains "{" (part 0) then "[,}]|[ \t]#" else "[ \t]#";
        written =
          if part 2 != null then
            replaceStrings [ "\\\\" ] [ "\\" ] (part 2)
          else if part 3 != null then
            part 3
          else
            head (match "(.*[^ \t])?[ \t]*" (head (split end (part 4))));
        simple =
          replaceStrings
            [
              "(?:"
              "*?"
              "+?"
              "\\d"
              "\\w"
              "\\."
              "\\/"
              "\\-"
              "\\_"
            ]
            [
              "("
              "*"
              "+"
              "[0-9]"
              "[A-Za-z0-9_]"
              "[.]"
              "/"
              "-"
              "_"
            ]
            written;
      in
      # Another expression would stop the evaluation.
      if parts == null || written == null || !(matches forms.pathPattern simple) then [ ] else [ simple ]
    ) (linesOf (replaceStrings [ "\r" ] [ "" ] text));

  rules =
    map (file: {
      patterns = pathPatterns (textOf file);
      from = head (match "(.*/)?[^/]*" file ++ [ "" ]);
      below = "";
    }) (filter (file: lastName file == ".sops.yaml") files)
    ++ (
      if pathExists (above ".sops.yaml") then
        [
          {
            patterns = pathPatterns (readFile (above ".sops.yaml"));
            from = "";
            below = "${aboveName}/";
          }
        ]
      else
        [ ]
    );

  isCovered =
    patterns: below: file:
    let
      ending = match ".*([.][^./]*)" file;
      kind = if ending == null then "" else head ending;
      others = [
        "flake.nix"
        "other${kind}"
        "modules/other${kind}"
      ];
      fits = pattern: name: matches ".*(${pattern}).*" "${below}${name}";
    in
    !(matches forms.neverSops file)
    && any (pattern: fits pattern file && !(any (fits pattern) others)) patterns;

  isForSops =
    file:
    !(matches forms.exampleNames (lastName file))
    && (
      matches forms.sopsNames file
      || matches forms.sopsEndings file
      || any (
        {
          patterns,
          from,
          below,
        }:
        let
          size = stringLength (toString from);
        in
        substring 0 size file == toString from
        && isCovered patterns below (substring size (stringLength file) file)
      ) rules
    );

  isOtherwiseEncrypted =
    text:
    matches
      "([$]ANSIBLE_VAULT;|age-encryption[.]org/|-----BEGIN (AGE ENCRYPTED FILE|PGP MESSAGE)-----).*"
      (substring 0 100 text);

  # The name at the beginning of a line; never what follows it.
  nameIn =
    line:
    let
      parts = match "[ \t]*(- +)*[\"']?([A-Za-z0-9_./-]+)[\"']?[ \t]*[:=].*" line;
    in
    if parts == null then "a line without a name" else "\"${elemAt parts 1}\"";

  sopsProblem =
    facts:
    if !facts.encrypted then
      "it is not encrypted: SOPS's own block is missing. Encrypt it with `npm run secrets`, or take it out of the folder."
    else if facts.plain != null then
      "it holds a value that is not encrypted (${nameIn facts.plain}). Encrypt it with `npm run secrets`."
    else
      null;

  # --- Both ----------------------------------------------------------------------------------------

  contentProblem =
    file:
    let
      text = textOf file;
      facts = factsOf file text;
      forSops = isForSops file && !(isOtherwiseEncrypted text);
      # Only a file of SOPS has its metadata; the others are spared the walk over their lines.
      isSopsFile = contains "ENC[AES256_GCM," text && facts.encrypted;
      what = secretIn text (lastName file);
    in
    if stringLength text > 100000000 then
      "it is a text of more than 100 MB, which is too large to be searched for secrets. Move it out of the folder, or split it."
    else if forSops then
      sopsProblem facts
    else if isSopsFile && facts.plain == null then
      null
    else if isSopsFile && !facts.byRule then
      sopsProblem facts
    else if what != null then
      "it holds ${what}. Move it out of the folder, and make a new one: this one has been copied to the Nix store."
    else
      null;

  problem =
    file:
    if matches forms.keyNames (lastName file) then
      "it looks like a private key, by its name. Move it out of the folder."
    else if isText file then
      contentProblem file
    else
      null;
in
concatMap (
  file:
  let
    found = problem file;
  in
  if found == null then [ ] else [ "${file}: ${found}" ]
) files

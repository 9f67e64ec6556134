# What in a folder must not be there: private keys, and secrets that nobody encrypted. A flake's
# folder is copied whole into the Nix store, which every user of the machine can read, so such a
# file is refused when the system is evaluated. Only builtins: this runs before nixpkgs is there.
#
#   import ./secretFiles.nix ./.   ->  [ "id_ed25519: …" "secrets.yaml: …" ]
folder:

let
  inherit (builtins)
    attrNames
    concatMap
    filter
    head
    isString
    match
    readDir
    readFile
    split
    ;

  matches = pattern: text: match pattern text != null;

  # Names relative to the folder.
  filesBelow =
    prefix:
    let
      entries = readDir (folder + "/${prefix}");
    in
    concatMap (
      name:
      if entries.${name} == "directory" then
        filesBelow "${prefix}${name}/"
      else if entries.${name} == "regular" then
        [ "${prefix}${name}" ]
      else
        [ ]
    ) (attrNames entries);

  baseName = file: head (match "(.*/)?([^/]*)" file ++ [ "" ]);

  namedLikeAKey = file: matches "(.*/)?(id_(rsa|dsa|ecdsa|ed25519)|.*\\.age-key|keys\\.txt)" file;

  # A binary file cannot be read by Nix, so the search for keys is among the names of text files.
  isText =
    file:
    matches ".*\\.(asc|cfg|conf|css|env|html|ini|js|json|key|lock|md|nix|pem|pub|sh|toml|txt|ya?ml)" file
    || matches "(.*/)?[^.]*" file;

  # Put together here, so that this file is not found by its own search. No regular expression: on a file of some hundred
  # kilobytes, such as a script of the web page, Nix's run out of stack.
  holdsAKey =
    text:
    builtins.replaceStrings
      [
        ("PRIVATE" + " KEY-----")
        ("AGE-SECRET" + "-KEY-1")
      ]
      [ "" "" ]
      text != text;

  lines = text: map shortened (filter isString (split "\n" text));
  # For the same reason; what a line is shows at its ends.
  shortened =
    whole:
    let
      # Nor can it decide in time which pattern takes which part of a long run of spaces.
      line = builtins.foldl' (text: run: builtins.replaceStrings [ run ] [ " " ] text) whole [
        "\t"
        "\r"
        "        "
        "        "
        "        "
        "        "
        "  "
        "  "
        "  "
      ];
      length = builtins.stringLength line;
    in
    if length < 2000 then
      line
    else
      builtins.substring 0 1000 line + builtins.substring (length - 1000) 1000 line;

  isSopsFile = file: matches "(.*/)?secrets?(\\.[^/]*)?\\.ya?ml" file;

  # SOPS leaves names readable and encrypts every value. What stands before its own block must be
  # an encrypted value, an empty one, a name that opens a list or map, a comment, or a name that
  # says by its end that it is left as it is.
  beforeSopsBlock =
    rest:
    if rest == [ ] || matches "sops:.*" (head rest) then
      [ ]
    else
      [ (head rest) ] ++ beforeSopsBlock (builtins.tail rest);

  isPlain =
    line:
    !(
      matches "[[:space:]]*" line
      || matches "---[[:space:]]*" line
      || matches "[[:space:]]*#ENC\\[.*" line
      || matches "[[:space:]]*(- )*([^:]+:)?[[:space:]]*(\"\"|''|null|\\[]|\\{})?[[:space:]]*" line
      || matches "[[:space:]]*(- )*([^:]+:)?[[:space:]]*ENC\\[AES256_GCM,.*]" line
      || matches "[[:space:]]*[^:]+_unencrypted:.*" line
    );

  secretsProblem =
    file:
    let
      text = lines (readFile (folder + "/${file}"));
      plain = filter isPlain (beforeSopsBlock text);
    in
    if !(builtins.any (matches "sops:[[:space:]]*") text) then
      "it is not encrypted: SOPS's own block is missing. Encrypt it with `npm run secrets`, or take it out of the folder."
    else if plain != [ ] then
      "it holds a value that is not encrypted (a line that begins \"${head (match "[[:space:]]*([^: ]*).*" (head plain))}\"). Encrypt it with `npm run secrets`."
    else
      null;

  problem =
    file:
    if namedLikeAKey file then
      "it looks like a private key, by its name. Move it out of the folder."
    else if isSopsFile file && secretsProblem file != null then
      secretsProblem file
    else if isText file && holdsAKey (readFile (folder + "/${file}")) then
      "it holds a private key. Move it out of the folder, and make a new one: this one has been copied to the Nix store."
    else
      null;
in
concatMap (file: if problem file == null then [ ] else [ "${file}: ${problem file}" ]) (
  filesBelow ""
)

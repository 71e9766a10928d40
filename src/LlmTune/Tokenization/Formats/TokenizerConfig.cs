using System.Globalization;
using System.Text.Json;

namespace LlmTune.Tokenization;

/// <summary>
/// The files beside a vocabulary that add tokens to it and give tokens a role, as transformers 5 reads them: tokenizer_config.json; and where
/// that has no added_tokens_decoder, the older special_tokens_map.json, which then counts more, and added_tokens.json.
/// </summary>
internal sealed class TokenizerConfig
{
    private const string Decoder = "added_tokens_decoder", Extra = "extra_special_tokens", Additional = "additional_special_tokens";

    private static readonly string[] StandardRoles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly JsonField? _config;
    private readonly JsonField? _map;
    private readonly JsonField? _added;

    private TokenizerConfig(JsonField? config, JsonField? map, JsonField? added) => (_config, _map, _added) = (config, map, added);

    /// <summary>tokenizer_config.json; null where there is none.</summary>
    public JsonElement? Json => _config?.Element;

    public static TokenizerConfig Load(string folder) => new(
        Read(Path.Combine(folder, "tokenizer_config.json")), Read(Path.Combine(folder, "special_tokens_map.json")), Read(Path.Combine(folder, "added_tokens.json")));

    /// <summary>The token of a role like <c>eos_token</c>; null where the files name none.</summary>
    public string? Token(string role) => Named(role)?.Token.Content;

    /// <summary>The file that names the token of a role; null where none does.</summary>
    public string? FileNaming(string role) => Named(role)?.File;

    /// <summary>A setting that is off where the file does not name it.</summary>
    public bool Flag(string name) => _config is { } config && config[name].Flag(false);

    /// <summary>The tokens of added_tokens_decoder with their ids; empty where there is none.</summary>
    public IEnumerable<(int Id, string Content)> AddedTokens() => Table().Select(token => (token.Id, token.Content));

    /// <summary>
    /// The tokens that the files list, in the order of the ids that they give them. What is already a token has these flags from now on; new
    /// ones get the next ids that are free, whatever is written.
    /// </summary>
    public IReadOnlyList<AddedToken> Listed()
    {
        var roles = Roles().Select(token => token.Content).ToHashSet(StringComparer.Ordinal);
        return [.. (HasTable ? Table() : OlderTable()).OrderBy(token => token.Id).Select(token => (roles.Contains(token.Content) ? token with { Special = true } : token).Added())];
    }

    /// <summary>
    /// The tokens with a role, then the extra ones: those that are no tokens yet become special tokens in this order. One that is named again
    /// has the flags of the last time.
    /// </summary>
    public IReadOnlyList<AddedToken> Special()
    {
        var roles = Roles().ToList();
        var names = roles.Select(token => token.Content).ToHashSet(StringComparer.Ordinal);
        return [.. roles.Concat(Extras().Select(token => names.Contains(token.Content) ? token with { Special = true } : token)).Select(token => token.Added())];
    }

    private bool HasTable => _config is { } config && !config[Decoder].IsNull;

    private IEnumerable<Written> Table()
    {
        if (!HasTable) yield break;
        var table = _config!.Value[Decoder].Object();
        foreach (var entry in table.Element.EnumerateObject())
        {
            var token = new JsonField(entry.Value, table.File, $"{Decoder}[\"{entry.Name}\"]").Object();
            if (!int.TryParse(entry.Name, CultureInfo.InvariantCulture, out var id)) throw token.Error("its key is no id");
            if (Read(token, special: false) is { } written) yield return written with { Id = id };
        }
    }

    /// <summary>added_tokens.json: a token is special where a role or the extra tokens have its text.</summary>
    private IEnumerable<Written> OlderTable()
    {
        if (_added is not { } added) yield break;
        var special = StandardRoles.Select(Named).OfType<(Written Token, string File)>().Where(named => named.Token.IsText || named.File == _map?.File).Select(named => named.Token)
            .Concat(Extras().Where(token => token.IsText)).Select(token => token.Content).ToHashSet(StringComparer.Ordinal);
        foreach (var entry in added.Element.EnumerateObject())
        {
            var isSpecial = special.Contains(entry.Name);
            var id = new JsonField(entry.Value, added.File, $"[\"{entry.Name}\"]").Count();
            if (entry.Name.Length > 0) yield return new Written(entry.Name) { Id = id, Normalized = !isSpecial, Special = isSpecial };
        }
    }

    /// <summary>Tokens with a role: the usual roles in their order, then those that a model has for itself (image_token …).</summary>
    private IEnumerable<Written> Roles() =>
    [
        .. StandardRoles.Select(role => Files().Reverse().Select(file => Read(file[role], special: true)).FirstOrDefault(token => token is not null)).OfType<Written>(),
        // Of those of its own the ones that tokenizer_config.json writes as plain texts come last.
        .. Files().SelectMany(file => file.Element.EnumerateObject().Where(IsOwnRole).Select(entry => (Token: Read(file[entry.Name], special: true), File: file.File)))
            .OrderBy(own => own.Token is { IsText: true } && own.File == _config?.File).Select(own => own.Token).OfType<Written>(),
        .. ExtraFields().Where(field => field.Element.ValueKind == JsonValueKind.Object)
            .SelectMany(field => field.Element.EnumerateObject().Select(entry => Read(field[entry.Name], special: true))).OfType<Written>(),
    ];

    /// <summary>Extra tokens without a name of their own.</summary>
    private IEnumerable<Written> Extras()
    {
        var lists = ExtraFields().Where(field => field.Element.ValueKind == JsonValueKind.Array).ToList();
        if (lists.Count == 0) lists = [.. Files().Select(file => file[Additional]).Where(field => field.Element.ValueKind == JsonValueKind.Array && field.Items().Length > 0).Take(1)];
        return lists.SelectMany(list => list.Items()).Select(item => Read(item, special: item.Element.ValueKind == JsonValueKind.String)).OfType<Written>();
    }

    private IEnumerable<JsonField> ExtraFields() => Files().Select(file => file[Extra]).Where(field =>
        field.Element.ValueKind == JsonValueKind.Object || (field.Element.ValueKind == JsonValueKind.Array && field.Items().Length > 0));

    /// <summary>The files that count; where both name something the last.</summary>
    private IEnumerable<JsonField> Files() => new[] { _config, HasTable ? null : _map }.OfType<JsonField>();

    private static bool IsOwnRole(JsonProperty entry) =>
        entry.Name.EndsWith("_token", StringComparison.Ordinal) && !StandardRoles.Contains(entry.Name)
        && (entry.Value.ValueKind == JsonValueKind.String || (entry.Value.ValueKind == JsonValueKind.Object && entry.Value.TryGetProperty("__type", out _)));

    /// <summary>The token of a role; where the map does not count, what it says is better than nothing.</summary>
    private (Written Token, string File)? Named(string role)
    {
        foreach (var file in HasTable ? [_config, _map] : new[] { _map, _config })
            if (file is { } there && Read(there[role], special: true) is { } token) return (token, there.File);
        return null;
    }

    /// <summary>A token written as a text or as an object with its content and flags; null where there is none, or an empty one.</summary>
    private static Written? Read(JsonField field, bool special)
    {
        if (field.IsNull) return null;
        if (field.Element.ValueKind != JsonValueKind.Object) return field.Text() is { Length: > 0 } text ? new Written(text) { IsText = true, Special = special } : null;
        return field["content"].Text() is not { Length: > 0 } content ? null : new Written(content)
        {
            SingleWord = field["single_word"].Flag(false),
            StripLeft = field["lstrip"].Flag(false),
            StripRight = field["rstrip"].Flag(false),
            Normalized = field["normalized"].IsNull ? null : field["normalized"].Flag(),
            Special = special || field["special"].Flag(false),
        };
    }

    private static JsonField? Read(string file) => File.Exists(file) ? JsonField.Load(file).Object() : null;

    /// <summary>A token as a file has it.</summary>
    private sealed record Written(string Content)
    {
        public int Id { get; init; } = AddedToken.NoId;

        /// <summary>Whether it was written as a text, not as an object.</summary>
        public bool IsText { get; init; }

        public bool SingleWord { get; init; }

        public bool StripLeft { get; init; }

        public bool StripRight { get; init; }

        /// <summary>Null: if it is not special.</summary>
        public bool? Normalized { get; init; }

        public bool Special { get; init; }

        public AddedToken Added() => new(AddedToken.NoId, Content, SingleWord, StripLeft, StripRight, Normalized ?? !Special, Special);
    }
}

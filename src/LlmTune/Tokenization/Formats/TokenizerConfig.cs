using System.Text.Json;

namespace LlmTune.Tokenization;

/// <summary>The files beside a tokenizer that name its tokens with a role: tokenizer_config.json, and before it special_tokens_map.json.</summary>
internal sealed class TokenizerConfig
{
    private readonly JsonField? _config;
    private readonly JsonField? _map;

    private TokenizerConfig(JsonField? config, JsonField? map) => (_config, _map) = (config, map);

    /// <summary>tokenizer_config.json; null where there is none.</summary>
    public JsonElement? Json => _config?.Element;

    public static TokenizerConfig Load(string folder) =>
        new(Read(Path.Combine(folder, "tokenizer_config.json")), Read(Path.Combine(folder, "special_tokens_map.json")));

    /// <summary>The token of a role like <c>eos_token</c>, written as a text or as an object with its content; null where the files name none.</summary>
    public string? Token(string role)
    {
        foreach (var file in new[] { _config, _map })
        {
            if (file?[role] is not { IsNull: false } token) continue;
            return token.Element.ValueKind == JsonValueKind.Object ? token["content"].Text() : token.Text();
        }
        return null;
    }

    /// <summary>A setting that is off where the file does not name it.</summary>
    public bool Flag(string name) => _config is { } config && config[name].Flag(false);

    /// <summary>The tokens that tokenizer_config.json lists with their ids; empty where it lists none.</summary>
    public IEnumerable<(int Id, string Content)> AddedTokens()
    {
        if (_config is not { } config || config["added_tokens_decoder"].IsNull) yield break;
        foreach (var entry in config["added_tokens_decoder"].Object().Element.EnumerateObject())
        {
            var token = new JsonField(entry.Value, config.File, $"added_tokens_decoder[\"{entry.Name}\"]").Object();
            if (!int.TryParse(entry.Name, System.Globalization.CultureInfo.InvariantCulture, out var id)) throw token.Error("its key is no id");
            yield return (id, token["content"].Text());
        }
    }

    private static JsonField? Read(string file) => File.Exists(file) ? JsonField.Load(file).Object() : null;
}

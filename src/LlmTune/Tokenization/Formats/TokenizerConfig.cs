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

    public static TokenizerConfig Load(string folder) => new(Read(Path.Combine(folder, "tokenizer_config.json")), Read(Path.Combine(folder, "special_tokens_map.json")));

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

    private static JsonField? Read(string file) => File.Exists(file) ? JsonField.Load(file).Object() : null;
}

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Tokenization;

namespace LlmTune.Models;

/// <summary>
/// The special tokens that config.json and generation_config.json name, brought into line with a tokenizer as transformers' Trainer does
/// before it trains (trainer_utils.align_special_tokens, 5.23): what the tokenizer defines counts, and no token that ends a generation is
/// taken away.
/// </summary>
internal static class SpecialTokenIds
{
    private const string EndKey = "eos_token_id";

    private static readonly string[] Keys = [EndKey, "bos_token_id", "pad_token_id"];

    /// <summary>The generation_config.json of a model that has none: what its config.json says of special tokens.</summary>
    public static JsonObject Generation(JsonObject config) =>
        new(Keys.Where(key => Ids(config[key]).Count > 0).Select(key => KeyValuePair.Create(key, config[key]?.DeepClone())));

    /// <summary>The tokens that a generation_config.json or config.json ends generations at.</summary>
    public static IReadOnlyList<int> Ends(JsonObject config) => Ids(config[EndKey]);

    /// <summary>Changes both; tokens that the model has no row for stay out.</summary>
    /// <param name="trainedEnds">Further tokens that answers were trained to end with.</param>
    public static void Align(JsonObject config, JsonObject generation, HfTokenizer tokenizer, IEnumerable<int> trainedEnds)
    {
        var vocabulary = Ids(config["vocab_size"]) is [var size] ? size : int.MaxValue;
        foreach (var (key, token) in Keys.Zip(new[] { tokenizer.EosId, tokenizer.BosId, tokenizer.PadId }))
            if (token < vocabulary) Align(key, token.Value);

        var ends = Ends(generation);
        var missing = trainedEnds.Except(ends).Where(token => token < vocabulary).ToList();
        if (missing.Count > 0) generation[EndKey] = List([.. ends, .. missing]);

        void Align(string key, int token)
        {
            var (model, generated) = (Ids(config[key]), Ids(generation[key]));
            if (model.Contains(token) && generated.Contains(token)) return;
            config[key] = key == EndKey && config[key] is JsonArray ? List([token, .. model.Where(other => other != token)]) : JsonValue.Create(token);
            generation[key] = key == EndKey ? List([token, .. generated.Where(other => other != token)]) : JsonValue.Create(token);
        }
    }

    /// <summary>What was changed in a file, as <c>eos_token_id [2, 1] (was 1)</c>.</summary>
    public static IEnumerable<string> Changes(JsonObject before, JsonObject after) =>
        from key in Keys
        where !JsonNode.DeepEquals(before[key], after[key])
        select $"{key} {Text(after[key])} ({(before[key] is null ? "was not there" : $"was {Text(before[key])}")})";

    /// <summary>A number, or a list of them; empty where there is none.</summary>
    private static IReadOnlyList<int> Ids(JsonNode? value) => value switch
    {
        JsonArray list => [.. list.SelectMany(Ids)],
        JsonValue number when number.GetValueKind() == JsonValueKind.Number => [(int)double.Parse(number.ToJsonString(), CultureInfo.InvariantCulture)],
        _ => [],
    };

    private static JsonArray List(IEnumerable<int> ids) => new([.. ids.Select(id => (JsonNode)id)]);

    private static string Text(JsonNode? value) => value is JsonArray ? $"[{string.Join(", ", Ids(value))}]" : value?.ToJsonString() ?? "null";
}

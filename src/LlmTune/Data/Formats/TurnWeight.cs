using System.Text.Json;
using LlmTune.Data.Sources;
using LlmTune.Tokenization;

namespace LlmTune.Data.Formats;

/// <summary>
/// What a turn says itself of being trained on: OpenAI's <c>weight</c>, ms-swift's <c>loss</c> and <c>loss_scale</c>, torchtune's
/// <c>masked</c>, axolotl's <c>train</c> and <c>train_detail</c>. Several of them hold together: a turn that one masks is masked, factors
/// multiply.
/// </summary>
internal static class TurnWeight
{
    private const string Detail = "train_detail";

    /// <summary>Keys with a factor, which are meant for the model's turns: on others their tools do nothing with them.</summary>
    private static readonly string[] Factors = ["weight", "loss_weight", "loss_scale"];

    /// <summary>Keys that say yes or no, and whether of turns of any role.</summary>
    private static readonly (string Name, bool AnyRole)[] Flags =
        [("loss", false), ("train", true), ("training", true), ("train_on", true), ("masked", false)];

    private static readonly string[] DetailNames = [Detail, "training_detail"];

    public static bool IsKey(string name) => Factors.Contains(name) || DetailNames.Contains(name) || Array.Exists(Flags, flag => flag.Name == name);

    /// <summary>The turn with what its keys say.</summary>
    /// <param name="roles">Roles that are trained on.</param>
    public static Message Apply(Message message, JsonElement turn, IReadOnlyList<string> roles, string where)
    {
        var isTrained = roles.Contains(message.Role);
        foreach (var name in Factors)
        {
            if (!TryGet(turn, name, out var value)) continue;
            message = With(message, Factor(value, name, where), name, isTrained);
        }
        foreach (var (name, anyRole) in Flags)
        {
            if (!TryGet(turn, name, out var value)) continue;
            var flag = Flag(value, name, where);
            if (name == "masked") message = flag ? message with { Train = false } : message;   // "not masked" leaves it to the role
            else message = With(message, flag ? 1 : 0, name, isTrained || anyRole);
        }
        foreach (var name in DetailNames)
            if (TryGet(turn, name, out var value)) message = message with { Parts = Details(value, message, name, where) };
        return message;
    }

    private static Message With(Message message, float factor, string name, bool counts) =>
        factor == 0 ? message with { Train = false }
        : !counts ? message with { Unused = [.. message.Unused, name] }
        : message with { Train = message.Train ?? true, Weight = message.Weight * factor };

    /// <summary>What a part of a content says of itself: axolotl's <c>train</c> or OpenAI's <c>weight</c>; null where it says nothing.</summary>
    public static float? OfPart(JsonElement part, string where) =>
        TryGet(part, "weight", out var weight) ? Factor(weight, "weight", where)
        : TryGet(part, "train", out var train) ? Flag(train, "train", where) ? 1 : 0
        : null;

    private static bool TryGet(JsonElement turn, string name, out JsonElement value) =>
        turn.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;

    private static float Factor(JsonElement value, string name, string where)
    {
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False) return value.ValueKind == JsonValueKind.True ? 1 : 0;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var factor) && factor >= 0 && float.IsFinite(factor)) return factor;
        throw new RowException($"{where} {name} is {Kinds.Describe(value)}, expected a number from 0 (not trained on), as in 0.5 (counts half)");
    }

    private static bool Flag(JsonElement value, string name, string where) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number when value.GetDouble() is 0 or 1 => value.GetDouble() == 1,
        _ => throw new RowException($"{where} {name} is {Kinds.Describe(value)}, expected true or false"),
    };

    /// <summary>
    /// Places in the content that are trained on, both ends included, in UTF-16 units; the rest of the content is not. Python counts
    /// characters, of which those beyond the basic plane are two units here.
    /// </summary>
    private static List<ContentPart> Details(JsonElement list, Message message, string name, string where)
    {
        if (list.ValueKind != JsonValueKind.Array) throw new RowException($"{where} {name} is {Kinds.Describe(list)}, expected a list of {{\"begin_offset\": 0, \"end_offset\": 8, \"train\": true}}");
        if (message.Content is not { Length: > 0 } content) throw new RowException($"{where} {name} stands beside a turn without a text");
        int[] units = [.. content.Index().Where(c => !char.IsLowSurrogate(c.Item) || c.Index == 0 || !char.IsHighSurrogate(content[c.Index - 1])).Select(c => c.Index), content.Length];
        var trained = new bool[content.Length];
        foreach (var detail in list.EnumerateArray())
        {
            var (begin, end) = (Offset(detail, "begin_offset"), Offset(detail, "end_offset"));
            if (end < begin || end >= units.Length - 1)
                throw new RowException($"{where} {name} goes from {begin} to {end}, the content has the characters 0 to {units.Length - 2}");
            if (TryGet(detail, "train", out var train) && Flag(train, "train", where)) trained.AsSpan(units[begin]..units[end + 1]).Fill(true);
            else trained.AsSpan(units[begin]..units[end + 1]).Clear();
        }
        return [.. Runs(trained)];

        int Offset(JsonElement detail, string key) =>
            detail.ValueKind == JsonValueKind.Object && detail.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var offset) && offset >= 0
                ? offset : throw new RowException($"{where} {name} has an entry without a number under '{key}'");
    }

    private static IEnumerable<ContentPart> Runs(bool[] trained)
    {
        for (var start = 0; start < trained.Length;)
        {
            var end = start + 1;
            while (end < trained.Length && trained[end] == trained[start]) end++;
            yield return new ContentPart(start, end, trained[start] ? 1 : 0);
            start = end;
        }
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Io;
using LlmTune.Objectives;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data;

/// <summary>TRL's small functions, for those that something here stands for: a file of inputs and outputs each, named as the function.</summary>
internal static class TrlFunctions
{
    private static readonly Dictionary<string, Action<GoldenCase, JsonElement>?> Counterparts = new(StringComparer.Ordinal)
    {
        ["extract_prompt"] = (_, row) => Prompt(row.GetProperty("input"), row),
        ["maybe_extract_prompt"] = (_, row) => ExtractedUnlessGiven(row),
        ["maybe_apply_chat_template"] = Templated,
        ["maybe_unpair_preference_dataset"] = (_, row) => Unpaired(row),
        ["common_prefix_length"] = (_, row) =>
            Assert.Equal(row.GetProperty("output").GetInt32(), Rendering.Boundary(Integers(row.GetProperty("ids")), Integers(row.GetProperty("other_ids")))),
        ["selective_log_softmax"] = (_, row) => LogProbabilities(row),
        ["truncate_dataset"] = (_, row) => Truncated(row),
        // What asks for a form of rows, renames columns, pads, or is a part of another trainer has no counterpart.
        ["is_conversational"] = null,
        ["is_conversational_from_value"] = null,
        ["maybe_convert_to_chatml"] = null,
        ["flush_left"] = null,
        ["pad"] = null,
        ["log1mexp"] = null,
        ["nan_statistics"] = null,
        ["repeat_sampler"] = null,
    };

    public static void Compare(GoldenCase golden)
    {
        golden.Described("functions");
        var compared = 0;
        foreach (var file in golden.Field("rows").EnumerateObject())
        {
            var function = Path.GetFileNameWithoutExtension(file.Name);
            Assert.True(Counterparts.TryGetValue(function, out var compare), $"the function '{function}' is not understood");
            var rows = JsonLines.Read(Path.Combine(golden.Folder, file.Name)).Select(line => line.Value).ToList();
            Assert.Equal(file.Value.GetInt32(), rows.Count);
            if (compare is null) continue;
            foreach (var row in rows) compare(golden, row);
            compared++;
        }
        Assert.InRange(compared, 1, int.MaxValue);
    }

    /// <summary>
    /// The same but for one mistake: where texts differ at once and the first ends with a space, TRL takes the text before the space.
    /// An empty text is an error there, and refused by the format here.
    /// </summary>
    private static void Prompt(JsonElement input, JsonElement row)
    {
        if (row.TryGetProperty("error", out _)) return;
        var (chosen, rejected) = (input.GetProperty("chosen"), input.GetProperty("rejected"));
        var expected = row.GetProperty("output").GetProperty("prompt");
        if (chosen.ValueKind == JsonValueKind.String)
        {
            var (a, b) = (chosen.GetString()!, rejected.GetString()!);
            var prompt = a[0] != b[0] && a[^1] == ' ' ? "" : expected.GetString();
            Assert.Equal(prompt, a[..CommonPrompt.Of([a, b])]);
            return;
        }
        Assert.Equal(expected.GetArrayLength(), CommonPrompt.Of([Turns(chosen), Turns(rejected)]));
    }

    private static void ExtractedUnlessGiven(JsonElement row)
    {
        var input = row.GetProperty("input");
        if (input.TryGetProperty("chosen", out _) && input.TryGetProperty("rejected", out _) && !input.TryGetProperty("prompt", out _)) Prompt(input, row);
    }

    /// <summary>Conversations as a whole, and prompts that an answer follows, as inference has them.</summary>
    private static void Templated(GoldenCase golden, JsonElement row)
    {
        var input = row.GetProperty("input");
        var (name, ask) = input.TryGetProperty("messages", out _) ? ("messages", false) : ("prompt", true);
        if (row.TryGetProperty("error", out _) || !input.TryGetProperty(name, out var turns) || turns.ValueKind != JsonValueKind.Array) return;
        if (ask && turns[turns.GetArrayLength() - 1].GetProperty("role").GetString() is not ("user" or "tool")) return;   // an answer that goes on is none here
        var tokenizer = HfTokenizer.Load(Path.Combine(golden.Folder, row.GetProperty("tokenizer").GetString()!));
        var template = ChatTemplate.Require(tokenizer, tokenizer.Folder);
        if (input.TryGetProperty("chat_template_kwargs", out var variables)) template = new ChatTemplate(template.Source, template.Origin, tokenizer) { Variables = JsonObject.Create(variables)! };
        JsonArray? tools = input.TryGetProperty("tools", out var list) && list.ValueKind is JsonValueKind.Array ? JsonArray.Create(list) : null;
        var text = template.Render(new Conversation(Turns(turns), tools), addGenerationPrompt: ask).Text;
        var expected = row.GetProperty("output").GetProperty(ask ? "prompt" : "text").GetString()!;
        // Their prompt is what it has in common with the whole, so that what the template puts before an answer may be missing in it.
        if (ask && input.EnumerateObject().Count() > 1) Assert.StartsWith(expected, text, StringComparison.Ordinal);
        else Assert.Equal(expected, text);
    }

    /// <summary>All that are chosen come first.</summary>
    private static void Unpaired(JsonElement row)
    {
        var rows = row.GetProperty("input").EnumerateArray().ToList();
        if (!rows.TrueForAll(r => r.TryGetProperty("prompt", out _) && r.TryGetProperty("chosen", out _))) return;   // without a prompt they are not paired rows yet
        var ours = rows.Select(TrlJudgedRows.Read).SelectMany(judged => judged.Unpaired()).OrderByDescending(alone => alone.Desirable).ToList();
        foreach (var (want, alone) in row.GetProperty("output").EnumerateArray().Zip(ours))
        {
            Assert.Equal(want.GetProperty("label").GetBoolean(), alone.Desirable);
            var completion = want.GetProperty("completion");
            if (alone is Example.JudgedTexts texts) Assert.Equal((want.GetProperty("prompt").GetString(), completion.GetString()), (texts.Prompt, texts.Answers[0]));
            else Assert.Equal(Turns(completion).Select(turn => (turn.Role, turn.Content)), ((Example.JudgedChats)alone).Answers[0].Select(turn => (turn.Role, turn.Content)));
        }
        Assert.Equal(row.GetProperty("output").GetArrayLength(), ours.Count);
    }

    private static void LogProbabilities(JsonElement row)
    {
        if (row.GetProperty("row_mask").ValueKind == JsonValueKind.Array) return;   // rows without targets are never computed
        using var scope = NewDisposeScope();
        var logits = Numbers(row.GetProperty("logits")) / row.GetProperty("temperature").GetDouble();
        var (index, expected) = (Numbers(row.GetProperty("index")).to(ScalarType.Int64), Numbers(row.GetProperty("output")));
        var flat = logits.reshape(-1, logits.shape[^1]);
        var chosen = index.reshape(flat.shape[0], -1);   // several may be asked for in one place
        var ours = stack(Enumerable.Range(0, (int)chosen.shape[1]).Select(k => TokenStatistics.LogProbabilities(flat, chosen[.., k])), 1);
        Close.Assert(expected.to(ScalarType.Float32), ours.view(expected.shape).to(ScalarType.Float32), "selective_log_softmax");
    }

    /// <summary>A nested list of numbers.</summary>
    private static Tensor Numbers(JsonElement list) =>
        list.ValueKind == JsonValueKind.Array ? stack(list.EnumerateArray().Select(Numbers)) : tensor(list.GetDouble(), ScalarType.Float32);

    private static void Truncated(JsonElement row)
    {
        var limit = row.GetProperty("max_length").GetInt32();
        if (!row.GetProperty("input").TryGetProperty("input_ids", out var inputs)) return;
        foreach (var (ids, want) in inputs.EnumerateArray().Zip(row.GetProperty("output").GetProperty("input_ids").EnumerateArray()))
        {
            var tokens = new Tokens(Integers(ids), new bool[ids.GetArrayLength()]);
            Assert.Equal(Integers(want), tokens.Ids.Length > limit ? LengthLimit.Start(tokens, limit).Ids : tokens.Ids);
        }
    }

    private static IReadOnlyList<Message> Turns(JsonElement list) => [.. list.EnumerateArray().Select(turn => Messages.Turn(turn, RowSettings.Default, "turn"))];

    private static int[] Integers(JsonElement list) => [.. list.EnumerateArray().Select(x => x.GetInt32())];
}

using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data;

/// <summary>
/// What TRL's trainers make of preference rows. DPO's preparation is ours. The others differ, and are replayed by parameters: KTO takes each
/// answer alone, reward models whole sequences, ORPO and CPO each answer alone without tools and with EOS behind conversations too.
/// </summary>
internal static class TrlJudgedRows
{
    private const int Ignored = -100;

    /// <summary>Trainers whose preparation a variant may have.</summary>
    public static readonly string[] Trainers = ["dpo", "kto", "reward", "orpo"];

    public static void Prepared(GoldenCase golden)
    {
        golden.Described("fields");
        var folder = golden.Folder;
        foreach (var variant in golden.Field("variants").EnumerateArray())
        {
            var name = variant.GetProperty("variant").GetString()!;
            var tokenizer = HfTokenizer.Load(Path.Combine(folder, variant.GetProperty("tokenizer").GetString()!));
            var codec = Codec.Of(tokenizer, ChatTemplate.For(tokenizer, tokenizer.Folder));
            var rows = variant.GetProperty("dataset").EnumerateArray().Select(Read).ToList();
            foreach (var part in variant.EnumerateObject())
            {
                var expected = part.Value.ValueKind == JsonValueKind.Array ? part.Value.EnumerateArray().ToList() : [];
                var what = $"{name}, {part.Name}";
                switch (part.Name)
                {
                    case "variant" or "tokenizer" or "dataset":
                        break;
                    case "dpo":
                        foreach (var (row, want) in rows.Zip(expected)) Dpo(row, want, codec, tokenizer, what);
                        Assert.Equal(expected.Count, rows.Count);
                        break;
                    case "kto":
                        Kto(rows, expected, codec, TrlGoldenTests.BatchSize(golden, "per_device_train_batch_size"), what);
                        break;
                    case "reward":
                        foreach (var (row, want) in rows.Zip(expected)) Reward(row, want, codec, what);
                        Assert.Equal(expected.Count, rows.Count);
                        break;
                    case "orpo":
                        foreach (var (row, want) in rows.Zip(expected)) Orpo(row, want, codec, what);
                        Assert.Equal(expected.Count, rows.Count);
                        break;
                    default:
                        Assert.Fail($"{what}: not understood");
                        break;
                }
            }
        }
    }

    public static void MismatchedPairs(GoldenCase golden)
    {
        var tokenizer = HfTokenizer.Load(golden.TokenizerPath);
        golden.Described("model", "tokenizer");
        var rows = golden.Field("dataset").EnumerateArray().Select(Read).ToList();
        Kto(
            rows, [.. golden.Field("rows").EnumerateArray()], Codec.Of(tokenizer, ChatTemplate.For(tokenizer, tokenizer.Folder)),
            TrlGoldenTests.BatchSize(golden, "per_device_train_batch_size"), golden.Name);
    }

    /// <summary>A row by the format that is found, with its tools as they stand: bare functions are wrapped here as OpenAI has them, in TRL not.</summary>
    public static Example.Judged Read(JsonElement row)
    {
        var format = Detection.Find([row], RowSettings.Default, "row");
        Assert.Equal("preference", format.Name);
        var judged = (Example.Judged)format.Read(new Fields(row, format, RowSettings.Default));
        return judged is Example.JudgedChats { Tools: not null } chats
            ? chats with { Tools = JsonNode.Parse(row.GetProperty("tools").GetString()!)!.AsArray() }
            : judged;
    }

    private static void Dpo(Example.Judged row, JsonElement want, Codec codec, HfTokenizer tokenizer, string what)
    {
        var tokens = Rendering.Render(row, codec, MaskSettings.Default);
        foreach (var field in want.EnumerateObject())
        {
            switch (field.Name)
            {
                case "prompt":
                    Assert.Equal(Text(field.Value), row is Example.JudgedTexts texts ? texts.Prompt : Text(((Example.JudgedChats)row).Prompt));
                    break;
                case "chosen" or "rejected":
                    var rank = field.Name == "chosen" ? 0 : 1;
                    Assert.Equal(Text(field.Value), row is Example.JudgedTexts answers
                        ? WithEnd(answers.Answers[rank], tokenizer.Token(tokenizer.EosId!.Value)!)
                        : Text(((Example.JudgedChats)row).Answers[rank]));
                    break;
                case "prompt_ids":
                    Same(field.Value, tokens.Ids[..tokens.Prompt], $"{what}: {field.Name}");
                    break;
                case "chosen_ids":
                    Same(field.Value, tokens.Ids[tokens.Prompt..(tokens.Prompt + tokens.Answers[0])], $"{what}: {field.Name}");
                    break;
                case "rejected_ids":
                    Same(field.Value, tokens.Ids[(tokens.Prompt + tokens.Answers[0])..], $"{what}: {field.Name}");
                    break;
                case "tools" or "chat_template_kwargs":
                    break;   // of the row
                default:
                    Assert.Fail($"{what}: the field '{field.Name}' is not understood");
                    break;
            }
        }
    }

    /// <summary>Each answer alone, of at most 1,000 rows first all that are chosen; then the answers change places.</summary>
    private static void Kto(List<Example.Judged> rows, List<JsonElement> expected, Codec codec, int block, string what)
    {
        Assert.InRange(rows.Count, 1, 1000);
        var alone = rows.SelectMany(row => row.Unpaired()).OrderByDescending(row => row.Desirable).ToList();
        var documents = alone.SelectMany(row => JudgedDocuments.Of(Rendering.Render(row, codec, MaskSettings.Default))).ToList();
        var mismatched = JudgedDocuments.Mismatched(documents, block).ToList();
        Assert.Equal(expected.Count, documents.Count);
        for (var i = 0; i < expected.Count; i++)
        {
            var prompt = documents[i].Answer!.Value.Prompt;
            foreach (var field in expected[i].EnumerateObject())
            {
                switch (field.Name)
                {
                    case "prompt_ids":
                        Same(field.Value, documents[i].Ids[..prompt], $"{what}, row {i}: {field.Name}");
                        Same(field.Value, mismatched[i].Ids[..prompt], $"{what}, row {i}: {field.Name} of the mismatched pair");
                        break;
                    case "completion_ids":
                        Same(field.Value, documents[i].Ids[prompt..], $"{what}, row {i}: {field.Name}");
                        break;
                    case "KL_completion_ids":
                        Same(field.Value, mismatched[i].Ids[prompt..], $"{what}, row {i}: {field.Name}");
                        Assert.All(mismatched[i].Trained.Index(), t => Assert.Equal(t.Index >= prompt, t.Item));
                        break;
                    case "label":
                        Assert.Equal(field.Value.GetBoolean(), documents[i].Answer!.Value.Desirable);
                        break;
                    default:
                        Assert.Fail($"{what}: the field '{field.Name}' is not understood");
                        break;
                }
            }
        }
    }

    private static void Reward(Example.Judged row, JsonElement want, Codec codec, string what)
    {
        var documents = JudgedDocuments.Of(Rendering.Render(row, codec, MaskSettings.Default)).ToList();
        Known(want, "chosen_ids", "rejected_ids");
        Same(want.GetProperty("chosen_ids"), documents[0].Ids, $"{what}: chosen_ids");
        Same(want.GetProperty("rejected_ids"), documents[1].Ids, $"{what}: rejected_ids");
    }

    private static void Orpo(Example.Judged row, JsonElement want, Codec codec, string what)
    {
        var bare = row is Example.JudgedChats chats ? chats with { Tools = null } : row;
        var alone = bare.Unpaired().SelectMany(side => JudgedDocuments.Of(Rendering.Render(side, codec, MaskSettings.Default)));
        List<Document> sides = [.. alone.Select(WithEos)];
        foreach (var field in want.EnumerateObject())
        {
            var side = sides[field.Name.StartsWith("rejected", StringComparison.Ordinal) ? 1 : 0];
            switch (field.Name)
            {
                case "prompt_input_ids":
                    Same(field.Value, side.Ids[..side.Answer!.Value.Prompt], $"{what}: {field.Name}");
                    break;
                case "chosen_input_ids" or "rejected_input_ids":
                    Same(field.Value, side.Ids, $"{what}: {field.Name}");
                    break;
                case "chosen_labels" or "rejected_labels":
                    Same(field.Value, [.. side.Ids.Zip(side.Trained, (id, trained) => trained ? id : Ignored)], $"{what}: {field.Name}");
                    break;
                default:
                    Assert.Fail($"{what}: the field '{field.Name}' is not understood");
                    break;
            }
        }

        Document WithEos(Document side) =>
            side.Ids[^1] == codec.Eos ? side : side with { Ids = [.. side.Ids, codec.Eos!.Value], Trained = [.. side.Trained, true] };
    }

    private static string WithEnd(string text, string eos) => text.EndsWith(eos, StringComparison.Ordinal) ? text : text + eos;

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String
        ? value.GetString()!
        : string.Join('|', value.EnumerateArray().Select(turn => $"{turn.GetProperty("role").GetString()}: {turn.GetProperty("content").GetString()}"));

    private static string Text(IEnumerable<Message> turns) => string.Join('|', turns.Select(turn => $"{turn.Role}: {turn.Content}"));

    public static void Known(JsonElement value, params string[] fields) =>
        Assert.All(value.EnumerateObject(), field => Assert.True(fields.Contains(field.Name), $"the field '{field.Name}' is not understood"));

    public static void Same(JsonElement expected, int[] actual, string what)
    {
        int[] ids = [.. expected.EnumerateArray().Select(v => v.GetInt32())];
        Assert.True(ids.AsSpan().SequenceEqual(actual), $"{what}: expected {string.Join(" ", ids)}, got {string.Join(" ", actual)}");
    }
}

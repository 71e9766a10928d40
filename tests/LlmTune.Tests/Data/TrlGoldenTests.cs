using System.Text.Json;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Evaluation;
using LlmTune.Tests.Training;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data;

/// <summary>
/// What TRL's trainers make of rows: token ids and labels, truncation, packing. A label is the token's id where it is trained on,
/// −100 elsewhere.
/// </summary>
public class TrlGoldenTests
{
    private const string Area = "trl";
    private const int Ignored = -100;

    public static IEnumerable<TheoryDataRow<string>> Cases => Golden.Cases(Area);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Rows_become_the_same_tokens(string folder)
    {
        var @case = Golden.Read(folder);
        switch (@case.GetProperty("case").GetString())
        {
            case "sft-data":
                foreach (var variant in @case.GetProperty("variants").EnumerateArray()) Variant(folder, variant);
                break;
            case "sft-data-packing":
                foreach (var result in @case.GetProperty("results").EnumerateArray()) Packed(result);
                break;
            case "sft-data-refused":
                Assert.All(@case.GetProperty("results").EnumerateArray(), result => Refused(result.GetProperty("try").GetString()!));
                break;
            case "pref-data":
                TrlJudgedRows.Prepared(folder, @case);
                break;
            case "kto-pairs":
                TrlJudgedRows.MismatchedPairs(folder, @case);
                break;
            case "dpo-losses-truncation":
                TrlTruncatedPairs.Replay(folder, @case);
                break;
            case var curve when @case.TryGetProperty("prepared", out _) && @case.TryGetProperty("micro", out _) && curve!.StartsWith("sft-", StringComparison.Ordinal):
                using (var golden = new GoldenCase(Area, folder)) SftCurves.Replay(golden);
                return;   // has counted itself
            case "sft-loss":
                using (var golden = new GoldenCase(Area, folder)) SftLosses.Compare(golden);
                return;
            case "sft-curve-evaluate":
                Evaluated(folder);
                return;
            case var other:
                Golden.Skip(Area, $"{other}, which is neither data nor a curve of supervised fine-tuning");
                break;
        }
        Golden.Ran(Area);
    }

    // ---- evaluation

    /// <summary>Their loss is the mean over rows of the loss of each row's batch of two; ours is one mean over tokens.</summary>
    private static void Evaluated(string folder)
    {
        using var golden = new GoldenCase(Area, folder);
        golden.Described("case", "library", "versions", "what");
        Assert.True(golden.Field("assistant_only_loss").GetBoolean());
        using var model = golden.OpenModel(golden.PathOf("model")).Load(Golden.Device, ScalarType.Float32);
        var tokenizer = HfTokenizer.Load(golden.PathOf("tokenizer"));
        var options = new Options(int.MaxValue, "keep_start", null, AssistantOnly: true, CompletionOnly: false, "text");
        var batches = golden.Field("dataset").EnumerateArray().Select(row => Prepared(row, options, tokenizer))
            .Select(tokens => new Document(tokens.Ids, tokens.Trained)).Chunk(2).ToArray();
        var sum = 0.0;
        foreach (var batch in batches) sum += batch.Length * HeldOut.Loss(model, [TokenBatch.Of(batch)]).All.Loss;
        foreach (var metric in golden.Field("metrics").EnumerateObject())
        {
            switch (metric.Name)
            {
                case "eval_loss":
                    Close.Assert(metric.Value.GetDouble(), sum / batches.Sum(batch => batch.Length), metric.Name);
                    break;
                case "eval_entropy" or "eval_mean_token_accuracy" or "eval_num_tokens":
                    break;   // not measured here
                default:
                    Assert.Fail($"the metric '{metric.Name}' is not understood");
                    break;
            }
        }
        golden.Finish();
    }

    // ---- packing

    private static void Packed(JsonElement result)
    {
        var (strategy, capacity) = (result.GetProperty("strategy").GetString()!, result.GetProperty("seq_length").GetInt32());
        var lengths = Integers(result.GetProperty("lengths"));
        var rows = RowsOf(strategy, capacity, lengths);
        var what = $"{strategy} in {capacity} of {lengths.Length} lengths";
        Assert.True(result.GetProperty("rows").GetInt32() == rows.Count, what);
        foreach (var property in result.EnumerateObject())
        {
            switch (property.Name)
            {
                case "strategy" or "seq_length" or "lengths" or "rows" or "note":
                    break;
                case "seq_lengths":
                    Assert.Equal(Nested(property.Value), rows.Select(row => row.Select(p => p.Length).ToArray()));
                    break;
                case "packed":
                    Assert.Equal(Nested(property.Value), rows.Select(row => row.SelectMany(p => Enumerable.Range((1000 * (p.Document + 1)) + p.Start, p.Length)).ToArray()));
                    break;
                case "packed_sequences":
                    Assert.Equal(Nested(property.Value), rows.Select(row => row.Select(p => p.Document).ToArray()));
                    break;
                default:
                    Assert.Fail($"{what}: the field '{property.Name}' is not understood");
                    break;
            }
        }
    }

    /// <summary>TRL packs blocks of 1,000 rows, and cuts (bfd) or splits (bfd_split) what is longer than a row before.</summary>
    private static List<Slice[]> RowsOf(string strategy, int capacity, int[] lengths)
    {
        List<Slice[]> rows = [];
        for (var from = 0; from < lengths.Length; from += 1000)
        {
            var block = Enumerable.Range(from, Math.Min(1000, lengths.Length - from)).ToArray();
            if (strategy == "wrapped")
            {
                var plan = EpochPlan.Of(block, d => lengths[d], new PlanSettings { MaxLength = capacity, Packing = PackingMode.Wrapped }, 0, 0);
                rows.AddRange(Enumerable.Range(0, plan.Rows).Select(r => plan.Row(r).ToArray()));
                continue;
            }
            var slices = block.SelectMany(d => Slices(d, lengths[d], capacity, split: strategy == "bfd_split")).ToArray();
            rows.AddRange(BestFit.Pack(Array.ConvertAll(slices, p => p.Length), capacity).Select(row => row.Select(i => slices[i]).ToArray()));
        }
        return rows;
    }

    private static IEnumerable<Slice> Slices(int document, int length, int capacity, bool split)
    {
        for (var start = 0; start < (split ? length : Math.Min(length, capacity)); start += capacity)
            yield return new Slice(document, start, Math.Min(capacity, length - start));
    }

    // ---- preparation

    private sealed record Options(int MaxLength, string Truncation, string? Packing, bool AssistantOnly, bool CompletionOnly, string TextField)
    {
        public static Options Of(JsonElement variant)
        {
            var options = variant.GetProperty("options");
            foreach (var option in options.EnumerateObject())
            {
                Assert.True(
                    option.Name is "max_length" or "truncation_mode" or "packing" or "packing_strategy" or "padding_free" or "pad_to_multiple_of" or "completion_only_loss"
                        or "assistant_only_loss" or "loss_type" or "dataset_text_field",
                    $"the option '{option.Name}' is not understood");
            }
            return new Options(
                options.GetProperty("max_length") is { ValueKind: JsonValueKind.Number } length ? length.GetInt32() : int.MaxValue,
                options.GetProperty("truncation_mode").GetString()!,
                options.GetProperty("packing").GetBoolean() ? options.GetProperty("packing_strategy").GetString() : null,
                options.GetProperty("assistant_only_loss").GetBoolean(),
                variant.GetProperty("completion_only_loss_used").GetBoolean(),
                options.GetProperty("dataset_text_field").GetString()!);
        }
    }

    private static void Variant(string folder, JsonElement variant)
    {
        var name = variant.GetProperty("variant").GetString()!;
        var options = Options.Of(variant);
        if (name == "chat_template_kwargs") return;   // per-row arguments of the template are not a setting here
        var tokenizer = HfTokenizer.Load(Path.Combine(folder, variant.GetProperty("tokenizer").GetString()!));
        var documents = variant.GetProperty("dataset").EnumerateArray().Select(row => Limited(Prepared(row, options, tokenizer), options))
            .Where(d => d.Trained.Contains(true)).ToList();
        var rows = options.Packing is null
            ? [.. documents.Select((d, i) => new[] { new Slice(i, 0, d.Ids.Length) })]
            : RowsOf(options.Packing, options.MaxLength, [.. documents.Select(d => d.Ids.Length)]);
        var expected = variant.GetProperty("prepared").EnumerateArray().ToList();
        Assert.True(expected.Count == rows.Count, $"{name}: expected {expected.Count} rows, got {rows.Count}");
        foreach (var (want, row) in expected.Zip(rows))
        {
            var ids = row.SelectMany(p => documents[p.Document].Ids.AsSpan(p.Start, p.Length).ToArray()).ToArray();
            var trained = row.SelectMany(p => documents[p.Document].Trained.AsSpan(p.Start, p.Length).ToArray()).ToArray();
            Same(Integers(want.GetProperty("input_ids")), ids, $"{name}: input_ids");
            Same(Integers(want.GetProperty("labels")), [.. ids.Zip(trained, (id, t) => t ? id : Ignored)], $"{name}: labels");
            if (want.TryGetProperty("seq_lengths", out var lengths)) Same(Integers(lengths), [.. row.Select(p => p.Length)], $"{name}: seq_lengths");
        }
        Collated(variant, documents, rows, name);
    }

    /// <summary>Rows without padding: what a batch of them is here. Position 0 of a document is never a label.</summary>
    private static void Collated(JsonElement variant, List<Tokens> documents, List<Slice[]> rows, string name)
    {
        if (!variant.GetProperty("padding_free_used").GetBoolean()) return;
        var taken = rows.Take(variant.GetProperty("collated_rows").GetInt32()).SelectMany(row => row)
            .Select(p => new Document(documents[p.Document].Ids[p.Start..(p.Start + p.Length)], documents[p.Document].Trained[p.Start..(p.Start + p.Length)]));
        var batch = TokenBatch.Of(taken);
        var labels = Enumerable.Repeat(Ignored, batch.Tokens).ToArray();
        foreach (var (at, target) in batch.Predicting.Zip(batch.Targets)) labels[at + 1] = target;
        foreach (var field in variant.GetProperty("collated").EnumerateObject())
        {
            var values = field.Value.ValueKind == JsonValueKind.Array && field.Value[0].ValueKind == JsonValueKind.Array ? Integers(field.Value[0]) : null;
            switch (field.Name)
            {
                case "input_ids":
                    Same(values!, batch.Ids, $"{name}: collated input_ids");
                    break;
                case "labels":
                    Same(values!, labels, $"{name}: collated labels");
                    break;
                case "position_ids":
                    Same(values!, batch.Positions, $"{name}: position_ids");
                    break;
                case "cu_seq_lens_q" or "cu_seq_lens_k":
                    Same(Integers(field.Value), batch.Bounds, $"{name}: {field.Name}");
                    break;
                case "max_length_q" or "max_length_k":
                    Assert.Equal(field.Value.GetInt32(), batch.Bounds.Zip(batch.Bounds.Skip(1), (a, b) => b - a).Max());
                    break;
                case "seq_idx":
                    Same(values!, [.. Enumerable.Range(0, batch.Documents).SelectMany(d => Enumerable.Repeat(d, batch.Bounds[d + 1] - batch.Bounds[d]))], $"{name}: seq_idx");
                    break;
                default:
                    Assert.Fail($"{name}: the collated field '{field.Name}' is not understood");
                    break;
            }
        }
    }

    private static Tokens Prepared(JsonElement row, Options options, HfTokenizer tokenizer)
    {
        if (options is { AssistantOnly: true, CompletionOnly: false }) row = AsMessages(row);
        var trainOnPrompt = !options.CompletionOnly && !options.AssistantOnly;
        var settings = new RowSettings
        {
            TrainOnPrompt = trainOnPrompt,
            Columns = options.TextField == "text" ? RowSettings.Default.Columns : new Dictionary<string, string> { ["text"] = options.TextField },
        };
        var format = Detection.Find([row], settings, "row");
        var example = format.Read(new Fields(row, format, settings));
        var template = ChatTemplate.For(tokenizer, tokenizer.Folder)!;
        var tokens = Rendering.Render(example, Codec.Of(tokenizer, template), new MaskSettings { TrainOnPrompt = trainOnPrompt });
        return options is { CompletionOnly: true, AssistantOnly: false } && example is Example.Chat chat
            ? WithWhatFollowsTheEnd(tokens, chat.Conversation, template, tokenizer)
            : tokens;
    }

    private static JsonElement AsMessages(JsonElement row) => row.TryGetProperty("prompt", out var prompt)
        ? JsonSerializer.SerializeToElement(new { messages = prompt.EnumerateArray().Concat(row.GetProperty("completion").EnumerateArray()) })
        : row;

    /// <summary>
    /// Of messages as prompt and completion TRL trains on everything behind the prompt, so also on the line break that the template writes
    /// behind the end of the turn. Here the end of the turn is the last that is trained on; nothing else may differ.
    /// </summary>
    private static Tokens WithWhatFollowsTheEnd(Tokens tokens, Conversation conversation, ChatTemplate template, HfTokenizer tokenizer)
    {
        var prompt = conversation with { Messages = [.. conversation.Messages.TakeWhile(m => m.Train == false)] };
        var boundary = Rendering.Boundary(tokenizer.Encode(template.Render(prompt, addGenerationPrompt: true).Text), tokens.Ids);
        var trained = tokens.Ids.Select((_, t) => t >= boundary).ToArray();
        for (var t = 1; t < trained.Length; t++)
        {
            if (trained[t] != tokens.Trained[t]) Assert.True(trained[t] && tokens.Ids[t - 1] == tokenizer.EosId, $"token {t} of {string.Join(" ", tokens.Ids)}");
        }
        return tokens with { Trained = trained };
    }

    /// <summary>TRL cuts one end off; rows that are left without a label are gone.</summary>
    private static Tokens Limited(Tokens tokens, Options options)
    {
        var length = tokens.Ids.Length;
        if (length <= options.MaxLength || options.Packing is "wrapped" or "bfd_split") return tokens;
        return options.Truncation == "keep_start"
            ? LengthLimit.Start(tokens, options.MaxLength)
            : tokens with { Ids = tokens.Ids[^options.MaxLength..], Trained = tokens.Trained[^options.MaxLength..] };
    }

    // ---- refusals

    private static void Refused(string attempt)
    {
        switch (attempt)
        {
            case "assistant_only_loss, row without assistant turn":
                var row = JsonElement.Parse("""{"messages": [{"role": "user", "content": "u"}]}""");
                Assert.Throws<RowException>(() => RowFormat.Named("messages").Read(new Fields(row, RowFormat.Named("messages"), RowSettings.Default)));
                break;
            case "assistant_only_loss with text" or "padding_free with max_length and no packing" or "packing without max_length" or "loss_type chunked_nll (old name, taken as nll)":
                break;   // combinations of settings that do not exist here: masks follow the form of the rows, max_length always holds
            default:
                Assert.Fail($"the attempt '{attempt}' is not understood");
                break;
        }
    }

    private static void Same(int[] expected, int[] actual, string what) =>
        Assert.True(expected.AsSpan().SequenceEqual(actual), $"{what}: expected {string.Join(" ", expected)}, got {string.Join(" ", actual)}");

    private static int[] Integers(JsonElement list) => [.. list.EnumerateArray().Select(v => v.GetInt32())];

    private static int[][] Nested(JsonElement list) => [.. list.EnumerateArray().Select(Integers)];
}

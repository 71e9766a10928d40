using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
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

    /// <summary>What a case holds, and what compares it. A case is known by its fields alone.</summary>
    private static readonly (Func<JsonElement, bool> Fits, Action<GoldenCase> Compare)[] Kinds =
    [
        (c => All(c, "variants", "dataset", "options", "prepared"), Prepared),
        (c => All(c, "results", "strategy", "lengths"), golden => Each(golden, "results", Packed)),
        (c => All(c, "results", "try") && !c.TryGetProperty("model", out _), golden => Each(golden, "results", Refused)),
        (c => All(c, "variants", "dataset") && TrlJudgedRows.Trainers.Any(trainer => Any(c, "variants", trainer)), TrlJudgedRows.Prepared),
        (c => All(c, "rows", "KL_completion_ids"), TrlJudgedRows.MismatchedPairs),
        (c => All(c, "results", "truncation_mode", "completion_mask"), TrlTruncatedPairs.Replay),
        (c => Any(c, "variants", "loss_type", "counted_tokens"), SftLosses.Compare),
        (c => Has(c, "prepared", "micro", "log", "training"), SftCurves.Replay),
        (c => Has(c, "dataset", "metrics", "model") && !Has(c, "ref_model"), Evaluated),
        (c => Has(c, "functions", "rows"), TrlFunctions.Compare),
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Rows_become_the_same_tokens(string folder)
    {
        using var golden = new GoldenCase(Area, folder);
        if (Kinds.FirstOrDefault(kind => kind.Fits(golden.Json)).Compare is { } compare)
        {
            golden.Described("case", "library", "versions", "what", "class");
            compare(golden);
            golden.Finish();
            return;
        }
        var objectives = Objectives(golden.Json).Distinct().ToArray();
        Assert.True(objectives.Length > 0, $"{golden.Name}: no test understands a case of {string.Join(", ", golden.Json.EnumerateObject().Select(field => field.Name))}");
        foreach (var objective in objectives)
            if (Refusals.OfObjective(objective) is { } refusal) Golden.Skip(Area, refusal);
        Assert.Fail($"{golden.Name}: the program has {string.Join(", ", objectives)}, but no test compares it");
    }

    /// <summary>The objectives that a case is about: of the trainers that it names, or of what its fields are for.</summary>
    private static IEnumerable<string> Objectives(JsonElement @case)
    {
        var classes = @case.TryGetProperty("variants", out var variants) ? variants.EnumerateArray().Select(variant => TextOf(variant, "class")) : [];
        foreach (var text in classes.Prepend(TextOf(@case, "class")).Append(TextOf(@case, "what")))
            foreach (Match trainer in Regex.Matches(text, "([A-Za-z]+)Trainer")) yield return trainer.Groups[1].Value.ToLowerInvariant();
        if (Has(@case, "ref_model") || Any(@case, "results", "options", "try")) yield return "dpo";
        if (Has(@case, "teacher_model")) yield return "distillation";
        if (Any(@case, "results", "num_generations")) yield return "grpo";
        if (Has(@case, "separator_ids")) yield return "reward";
        if (Has(@case, "lora", "beta")) yield return "dpo";
        if (All(@case, "results", "rows", "max_length")) yield return "orpo";
    }

    private static string TextOf(JsonElement element, string field) => element.TryGetProperty(field, out var text) ? text.GetString()! : "";

    private static bool Has(JsonElement @case, params string[] fields) => fields.All(field => @case.TryGetProperty(field, out _));

    private static bool All(JsonElement @case, string list, params string[] fields) => Items(@case, list) is { Count: > 0 } items && items.TrueForAll(item => Has(item, fields));

    private static bool Any(JsonElement @case, string list, params string[] fields) => Items(@case, list).Exists(item => Has(item, fields));

    private static List<JsonElement> Items(JsonElement @case, string list) =>
        @case.TryGetProperty(list, out var items) && items.ValueKind == JsonValueKind.Array ? [.. items.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Object)] : [];

    private static void Each(GoldenCase golden, string list, Action<JsonElement> compare)
    {
        foreach (var item in golden.Field(list).EnumerateArray()) compare(item);
    }

    // ---- evaluation

    /// <summary>Their loss is the mean over rows of the loss of each row's batch; ours is one mean over tokens.</summary>
    private static void Evaluated(GoldenCase golden)
    {
        using var model = golden.OpenModel(golden.PathOf("model")).Load(Golden.Device, ScalarType.Float32);
        var tokenizer = HfTokenizer.Load(golden.TokenizerPath);
        golden.Described("tokenizer");
        var rows = golden.Field("dataset").EnumerateArray().ToArray();
        var assistantOnly = golden.Has("assistant_only_loss") && golden.Field("assistant_only_loss").GetBoolean();
        var options = new Options(int.MaxValue, "keep_start", null, assistantOnly, CompletionOnly: rows[0].TryGetProperty("completion", out _) && !assistantOnly, "text");
        var batches = rows.Select(row => Prepared(row, options, tokenizer)).Select(tokens => new Document(tokens.Ids, tokens.Trained))
            .Chunk(BatchSize(golden, "per_device_eval_batch_size")).ToArray();
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
    }

    /// <summary>A number that is a field of the case, or stands in what the case says of itself.</summary>
    internal static int BatchSize(GoldenCase golden, string name)
    {
        if (golden.Has(name)) return golden.Field(name).GetInt32();
        var said = Regex.Match(golden.Text("what"), name + " ([0-9]+)");
        Assert.True(said.Success, $"{golden.Name} does not say its {name}");
        return int.Parse(said.Groups[1].Value, CultureInfo.InvariantCulture);
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

    private static void Prepared(GoldenCase golden) => Each(golden, "variants", variant => Variant(golden.Folder, variant));

    private static void Variant(string folder, JsonElement variant)
    {
        var name = variant.GetProperty("variant").GetString()!;
        var options = Options.Of(variant);
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
        var template = Template(row, tokenizer);
        var tokens = Rendering.Render(example, Codec.Of(tokenizer, template), new MaskSettings { TrainOnPrompt = trainOnPrompt });
        return options is { CompletionOnly: true, AssistantOnly: false } && example is Example.Chat chat
            ? WithWhatFollowsTheEnd(tokens, chat.Conversation, template, tokenizer)
            : tokens;
    }

    /// <summary>The tokenizer's, which a row may give variables (here they are of a run).</summary>
    private static ChatTemplate Template(JsonElement row, HfTokenizer tokenizer)
    {
        var template = ChatTemplate.For(tokenizer, tokenizer.Folder)!;
        return row.TryGetProperty("chat_template_kwargs", out var variables)
            ? new ChatTemplate(template.Source, template.Origin, tokenizer) { Variables = JsonObject.Create(variables)! }
            : template;
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

    /// <summary>
    /// A row without an assistant's turn is refused here too. Masks follow the form of the rows, the limit of length always holds and
    /// there is one loss: the settings of theirs that could contradict each other are none of ours.
    /// </summary>
    private static void Refused(JsonElement result)
    {
        var attempt = result.GetProperty("try").GetString()!;
        if (TextOf(result, "message").Contains("no assistant tokens", StringComparison.Ordinal))
        {
            var row = JsonElement.Parse("""{"messages": [{"role": "user", "content": "u"}]}""");
            Assert.Throws<RowException>(() => RowFormat.Named("messages").Read(new Fields(row, RowFormat.Named("messages"), RowSettings.Default)));
            return;
        }
        var names = Regex.Matches(attempt, "[a-z]+(_[a-z]+)*").Select(name => name.Value).Where(name => TrlSettings.Contains(name)).ToArray();
        Assert.True(names.Length > 0, $"the attempt '{attempt}' is not understood");
        foreach (var name in names)
        {
            using var option = JsonDocument.Parse($$"""{ "{{name}}": "x" }""");
            Assert.NotNull(Refusals.OfSft(option.RootElement.EnumerateObject().Single()));
        }
    }

    /// <summary>Settings of SFTConfig that say how rows are masked, cut and packed.</summary>
    private static readonly string[] TrlSettings =
        ["assistant_only_loss", "completion_only_loss", "padding_free", "packing", "packing_strategy", "loss_type", "max_length", "truncation_mode", "pad_to_multiple_of"];

    private static void Same(int[] expected, int[] actual, string what) =>
        Assert.True(expected.AsSpan().SequenceEqual(actual), $"{what}: expected {string.Join(" ", expected)}, got {string.Join(" ", actual)}");

    private static int[] Integers(JsonElement list) => [.. list.EnumerateArray().Select(v => v.GetInt32())];

    private static int[][] Nested(JsonElement list) => [.. list.EnumerateArray().Select(Integers)];
}

using System.Text.Json;
using LlmTune.Generation;
using LlmTune.Layers;
using LlmTune.Models;

namespace LlmTune.Tests.Generation;

/// <summary>Ids, logits and scores of generation, and the cache, against transformers.</summary>
public class GenerateGoldenTests
{
    private const string Area = "generate";

    /// <summary>transformers' top_k where sampling does not say any.</summary>
    private const int DefaultTopK = 50;

    public static IEnumerable<TheoryDataRow<string>> Cases => Golden.Cases(Area);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Generation_equals_transformers(string folder)
    {
        using var golden = new GoldenCase(Area, folder);
        using var scope = NewDisposeScope();
        golden.Described("case", "what", "library", "computed_in", "attn_implementation", "where");
        var runs = golden.Field("runs").EnumerateArray().ToArray();
        if (runs[0].TryGetProperty("prefill", out _))
        {
            Cache(golden, runs);
            return;
        }
        if (runs[0].TryGetProperty("class", out _))
        {
            golden.Described("vocab");
            Finish(golden, runs, run => Processor(golden, run), run => [run.GetProperty("class").GetString()!]);
            return;
        }
        var path = golden.Text("model");
        golden.Described("assistant");
        var modelFolder = Directory.Exists(Path.Combine(folder, path)) ? Path.GetFullPath(Path.Combine(folder, path)) : RealModels.Find(path);
        if (modelFolder is null) Assert.Skip($"{path} is neither a folder of the case nor a model of {RealModels.Variable}");
        using var model = golden.OpenModel(modelFolder).Load(Golden.Device, ScalarType.Float32);
        if (golden.Has("plain_new_ids"))
        {
            var plain = golden.Field("plain_new_ids").EnumerateArray().Select(row => row.EnumerateArray().Select(x => x.GetInt32()).ToArray()).ToArray();
            Assert.Equal(plain, TextGenerator.Generate(model, Rows(runs[0]), new GenerationOptions { MaxNewTokens = plain[0].Length }));
        }
        Finish(golden, runs, run => Run(golden, run, Array.IndexOf(runs, run), model, modelFolder), Unbuilt);
    }

    /// <summary>Compares what is built of a case; it is skipped if nothing is.</summary>
    private static void Finish(GoldenCase golden, JsonElement[] runs, Func<JsonElement, bool> compare, Func<JsonElement, IEnumerable<string>> what)
    {
        var missing = runs.Where(run => !compare(run)).SelectMany(what).Distinct().ToList();
        if (missing.Count == 0)
        {
            golden.Finish();
            return;
        }
        if (runs.All(run => what(run).Any(missing.Contains))) Golden.Skip(Area, $"{string.Join(", ", missing)}; of generation there are {string.Join(", ", Built)}");
        TestContext.Current.AddWarning($"not built: {string.Join(", ", missing)}");
        Golden.Ran(Area);
    }

    /// <summary>The options that there are, by transformers' names; the two that a run is given in another form, and those of beams.</summary>
    private static readonly string[] Built =
    [
        .. typeof(GenerationOptions).GetProperties().Select(property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name)),
        "max_length", "eos_token_id", "pad_token_id", "stop_strings", "num_beams", "num_return_sequences", "length_penalty", "early_stopping",
    ];

    private static IEnumerable<string> Unbuilt(JsonElement run) =>
        run.GetProperty("options").EnumerateObject().Select(o => o.Name).Where(name => !Built.Contains(name)
            || name == "num_beams" && run.GetProperty("options").TryGetProperty("do_sample", out var sample) && sample.GetBoolean()
            || name == "no_repeat_ngram_size" && Rows(run).Any(row => row.Length < run.GetProperty("input_ids")[0].GetArrayLength()));   // the library counts padding there

    /// <summary>A processor as a function of scores and of the tokens so far; of those that are no option here, false.</summary>
    private static bool Processor(GoldenCase golden, JsonElement run)
    {
        var (name, arguments) = (run.GetProperty("name").GetString()!, run.GetProperty("arguments"));
        double Number(string argument) => arguments.GetProperty(argument).GetDouble();
        var (input, scores, expected) = (golden.Expected("input_ids"), golden.Expected("scores"), golden.Expected($"out.{name}"));
        if (arguments.TryGetProperty("min_tokens_to_keep", out _) || arguments.TryGetProperty("prompt_ignore_length", out _)) return false;
        GenerationOptions? options = run.GetProperty("class").GetString() switch
        {
            "TemperatureLogitsWarper" => new() { DoSample = true, Temperature = Number("temperature") },
            "TopKLogitsWarper" => new() { DoSample = true, TopK = (int)Number("top_k") },
            "TopPLogitsWarper" => new() { DoSample = true, TopP = Number("top_p") },
            "MinPLogitsWarper" => new() { DoSample = true, MinP = Number("min_p") },
            "RepetitionPenaltyLogitsProcessor" => new() { RepetitionPenalty = Number("penalty") },
            "NoRepeatNGramLogitsProcessor" => new() { NoRepeatNgramSize = (int)Number("ngram_size") },
            "MinNewTokensLengthLogitsProcessor" => new()
            {
                MinNewTokens = (int)Number("min_new_tokens"),
                EndTokens = [.. arguments.GetProperty("eos_token_id").EnumerateArray().Select(id => id.GetInt32())],
            },
            _ => null,
        };
        if (options is null) return false;
        int[][] tokens = [.. Enumerable.Range(0, (int)input.shape[0]).Select(row => input[row].to(ScalarType.Int32).data<int>().ToArray())];
        var added = arguments.TryGetProperty("prompt_length_to_skip", out var prompt) ? tokens[0].Length - prompt.GetInt32() : 0;
        var processed = Scores.Process(scores, options, tokens, added);
        Close.Assert(expected, processed, name);
        Assert.Equal(run.GetProperty("kept").EnumerateArray().Select(kept => kept.GetInt64()), processed.isfinite().sum(1).data<long>().ToArray());
        return true;
    }

    private static bool Run(GoldenCase golden, JsonElement run, int index, Decoder model, string modelFolder)
    {
        if (Unbuilt(run).Any()) return false;
        Assert.Empty(run.EnumerateObject().Select(f => f.Name).Except(
            ["name", "options", "prompt", "prompts", "sequences_scores", "beam_indices", "generated_lengths", "steps", "input_ids", "attention_mask", "sequences", "new_ids", "text", "continuation", "continuations", "smallest_margin",
                "processors", "possible_tokens", "greedy_new_ids", "assisted_new_ids", "prompt_lookup_new_ids"]));
        var name = run.TryGetProperty("name", out var given) ? given.GetString()! : $"run {index}";
        var options = run.GetProperty("options");
        var rows = Rows(run);
        var width = run.GetProperty("input_ids")[0].GetArrayLength();
        var ends = options.TryGetProperty("eos_token_id", out var eos)
            ? eos.ValueKind == JsonValueKind.Array ? eos.EnumerateArray().Select(e => e.GetInt32()).ToArray() : [eos.GetInt32()]
            : [];
        var pad = options.TryGetProperty("pad_token_id", out var padId) ? padId.GetInt32() : 0;
        var tokenizer = File.Exists(Path.Combine(modelFolder, "tokenizer.json")) ? LlmTune.Tokenization.HfTokenizer.Load(modelFolder) : null;
        double Option(string option, double otherwise) => options.TryGetProperty(option, out var value) ? value.GetDouble() : otherwise;
        var sampled = options.TryGetProperty("do_sample", out var sample) && sample.GetBoolean();
        var distribution = run.TryGetProperty("possible_tokens", out var possible);
        var generation = new GenerationOptions
        {
            // Where only the distribution is recorded, it is that of the first token.
            MaxNewTokens = distribution ? 1 : options.TryGetProperty("max_new_tokens", out var most) ? most.GetInt32() : options.GetProperty("max_length").GetInt32() - width,
            DoSample = sampled,
            Temperature = Option("temperature", 1),
            TopK = (int)Option("top_k", sampled ? DefaultTopK : 0),
            TopP = Option("top_p", 1),
            MinP = Option("min_p", 0),
            EndTokens = ends,
            RepetitionPenalty = options.TryGetProperty("repetition_penalty", out var penalty) ? penalty.GetDouble() : 1,
            NoRepeatNgramSize = options.TryGetProperty("no_repeat_ngram_size", out var ngram) ? ngram.GetInt32() : 0,
            MinNewTokens = options.TryGetProperty("min_new_tokens", out var least) ? least.GetInt32() : 0,
            Stop = options.TryGetProperty("stop_strings", out var stops)
                ? StopStrings.Watch([.. stops.EnumerateArray().Select(s => s.GetString()!)], ids => tokenizer!.Decode(ids, skipSpecialTokens: true))
                : null,
        };
        if (options.TryGetProperty("num_beams", out _))
        {
            Beams(golden, run, model, rows, generation, tokenizer);
            return true;
        }
        var scores = new List<(IReadOnlyList<int> Rows, Tensor Logits, Tensor Scores)>();
        var made = TextGenerator.Generate(
            model, rows, generation, null, (active, logits, processed) => scores.Add(([.. active], logits.clone().DetachFromDisposeScope(), processed.clone().DetachFromDisposeScope())));

        foreach (var field in new[] { "new_ids", "greedy_new_ids", "assisted_new_ids", "prompt_lookup_new_ids" })
        {
            if (!run.TryGetProperty(field, out var ids)) continue;
            var expected = ids.EnumerateArray().Select(row => row.EnumerateArray().Select(x => x.GetInt32()).ToArray()).ToArray();
            for (var r = 0; r < rows.Length; r++)
            {
                Assert.Equal(expected[r][..made[r].Length], made[r]);
                Assert.All(expected[r][made[r].Length..], id => Assert.Equal(pad, id));   // after its end a row is filled
            }
        }
        if (distribution) Assert.Equal(possible.EnumerateArray().Select(count => count.GetInt64()), scores[0].Scores.isfinite().sum(1).data<long>().ToArray());
        if (tokenizer is not null)
        {
            if (run.TryGetProperty("prompt", out var prompt)) Assert.Equal(rows[0], tokenizer.Encode(prompt.GetString()!, addSpecialTokens: true));
            if (run.TryGetProperty("text", out var text)) Assert.Equal(text.GetString(), tokenizer.Decode([.. rows[0], .. made[0]], skipSpecialTokens: true));
        }
        foreach (var which in new[] { "logits", "scores" })
        {
            var key = golden.HasTensor($"{name}.{which}") ? $"{name}.{which}" : $"{name}-{index}.{which}";
            if (!golden.HasTensor(key)) continue;
            var tensor = golden.Expected(key);
            if (tensor.dim() == 2) tensor = tensor.unsqueeze(1);   // only the first token
            for (var step = 0; step < tensor.shape[1]; step++)
                for (var i = 0; i < scores[step].Rows.Count; i++)
                    Close.Assert(tensor[scores[step].Rows[i]][step], (which == "logits" ? scores[step].Logits : scores[step].Scores)[i], $"{name}.{which}, step {step}");
        }
        if (golden.HasTensor($"{name}.probabilities"))
        {
            var probabilities = golden.Expected($"{name}.probabilities");
            if (probabilities.dim() == 2) probabilities = probabilities.unsqueeze(1);
            for (var step = 0; step < probabilities.shape[1]; step++)
                for (var i = 0; i < scores[step].Rows.Count; i++)
                    Close.Assert(probabilities[scores[step].Rows[i]][step], scores[step].Scores[i].softmax(-1), $"{name}.probabilities, step {step}");
        }
        return true;
    }

    private static void Beams(GoldenCase golden, JsonElement run, Decoder model, int[][] prompts, GenerationOptions generation, LlmTune.Tokenization.HfTokenizer? tokenizer)
    {
        var options = run.GetProperty("options");
        var beams = new BeamOptions(
            options.GetProperty("num_beams").GetInt32(),
            options.TryGetProperty("length_penalty", out var penalty) ? penalty.GetDouble() : 1,
            !options.TryGetProperty("early_stopping", out var early) || early.ValueKind == JsonValueKind.False ? EarlyStopping.Guess
            : early.ValueKind == JsonValueKind.True ? EarlyStopping.WhenFull : EarlyStopping.Never,
            options.TryGetProperty("num_return_sequences", out var returned) ? returned.GetInt32() : 1);
        var (rows, steps) = BeamSearch.Generate(model, prompts, generation, beams);
        var found = rows.SelectMany(row => row).ToArray();
        var expected = run.GetProperty("new_ids").EnumerateArray().Select(row => row.EnumerateArray().Select(x => x.GetInt32()).ToArray()).ToArray();
        var scores = run.GetProperty("sequences_scores").EnumerateArray().Select(x => x.GetDouble()).ToArray();
        var name = run.GetProperty("name").GetString();
        Assert.Equal(expected.Length, found.Length);
        if (run.TryGetProperty("steps", out var count)) Assert.Equal(count.GetInt32(), steps);
        for (var i = 0; i < found.Length; i++)
        {
            Assert.Equal(expected[i][..found[i].Tokens.Length], found[i].Tokens);
            Close.Assert(scores[i], found[i].Score, $"{name}: score of sequence {i}");
            if (run.TryGetProperty("generated_lengths", out var lengths)) Assert.Equal(lengths[i].GetInt32(), found[i].Tokens.Length);
            if (run.TryGetProperty("beam_indices", out var indices))
                Assert.Equal(indices[i].EnumerateArray().Select(x => x.GetInt32()).Where(x => x >= 0), found[i].Parents);
            if (golden.HasTensor($"{name}.transition_scores"))
                Close.Assert(golden.Expected($"{name}.transition_scores")[i][..found[i].Tokens.Length], tensor(found[i].TokenScores), $"{name}: transition scores of sequence {i}");
            if (run.TryGetProperty("continuations", out var texts) && tokenizer is not null)
                Assert.Equal(texts[i].GetString(), tokenizer.Decode([.. prompts[i / beams.Returned], .. found[i].Tokens], skipSpecialTokens: true)[tokenizer.Decode(prompts[i / beams.Returned], skipSpecialTokens: true).Length..].TrimStart(' '));
        }
    }

    private static void Cache(GoldenCase golden, JsonElement[] runs)
    {
        var skipped = new List<string>();
        foreach (var run in runs)
        {
            Assert.Empty(run.EnumerateObject().Select(f => f.Name).Except(
                ["name", "model", "input_ids", "attention_mask", "position_ids", "prefill", "largest_difference_from_full_forward"]));
            ModelFolder opened;
            try
            {
                var path = Path.GetFullPath(Path.Combine(golden.Folder, run.GetProperty("model").GetString()!));
                if (!Directory.Exists(path))
                {
                    skipped.Add($"no model {path}");
                    continue;
                }
                opened = ModelFolder.Open(path);
            }
            catch (UnsupportedModelException e)
            {
                skipped.Add(e.Message);
                continue;
            }
            using var model = opened.Load(Golden.Device, ScalarType.Float32);
            var expected = golden.Expected($"{run.GetProperty("name").GetString()}.logits");
            var width = run.GetProperty("input_ids")[0].GetArrayLength();
            var prefill = run.GetProperty("prefill").GetInt32();
            var rows = Rows(run);
            // Rows that are all padding in the prefill have nothing to begin with.
            var present = Enumerable.Range(0, rows.Length).Where(r => rows[r].Length > width - prefill).ToArray();
            using var _ = no_grad();
            using var cache = new KvCache(model, width);
            int Length(int r) => rows[r].Length - (width - prefill);
            var ids = present.SelectMany(r => rows[r][..Length(r)]).Select(id => (long)id).ToArray();
            using var context = cache.Prefill([.. present.Select(Length)]);
            var pass = new Pass(context);
            var logits = model.Logits(model.Forward(tensor(ids, ScalarType.Int64, model.Device), pass), pass);
            var token = 0;
            foreach (var r in present)
            {
                Close.Assert(expected[r][(prefill - Length(r))..prefill], logits[token..(token + Length(r))], $"{opened.Name}: prefill of row {r}");
                token += Length(r);
            }
            for (var column = prefill; column < width; column++)
            {
                var step = new Pass(cache.Step());
                var next = present.Select(r => (long)rows[r][^(width - column)]).ToArray();
                var stepLogits = model.Logits(model.Forward(tensor(next, ScalarType.Int64, model.Device), step), step);
                for (var i = 0; i < present.Length; i++) Close.Assert(expected[present[i]][column], stepLogits[i], $"{opened.Name}: column {column} of row {present[i]}");
            }
        }
        if (skipped.Count == runs.Length) Golden.Skip(Area, string.Join("; ", skipped));
        if (skipped.Count > 0) TestContext.Current.AddWarning($"{runs.Length - skipped.Count} of {runs.Length} runs compared; {string.Join("; ", skipped)}");
        else golden.Finish();
        if (skipped.Count > 0) Golden.Ran(Area);
    }

    /// <summary>The rows without their padding on the left.</summary>
    private static int[][] Rows(JsonElement run)
    {
        var ids = run.GetProperty("input_ids").EnumerateArray().Select(row => row.EnumerateArray().Select(x => x.GetInt32()).ToArray()).ToArray();
        if (!run.TryGetProperty("attention_mask", out var masks)) return ids;
        return [.. ids.Select((row, r) => row[(row.Length - masks[r].EnumerateArray().Sum(m => m.GetInt32()))..])];
    }
}

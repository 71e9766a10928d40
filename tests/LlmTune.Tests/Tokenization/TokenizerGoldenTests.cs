using System.Text.Json;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <summary>Every case of the golden area tokenizers, against Hugging Face's Rust library, sentencepiece and tiktoken.</summary>
public sealed class TokenizerGoldenTests
{
    private const string Area = "tokenizers";

    /// <summary>Kinds of cases that other tests run.</summary>
    private static readonly string[] Elsewhere = ["templates", "jinja-features"];

    public static IEnumerable<TheoryDataRow<string>> Cases() => Golden.Cases(Area).Where(row => !Elsewhere.Contains(Kind(row.Data)));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Equals_the_reference(string folder)
    {
        var kind = Kind(folder);
        switch (kind)
        {
            case "tokenize":
                Tokenize(new GoldenLines(folder));
                break;
            case "decode":
                Decode(new GoldenLines(folder));
                break;
            case "stream-decode":
                Stream(new GoldenLines(folder));
                break;
            case "truncation":
                Truncate(new GoldenLines(folder));
                break;
            case "malformed":
                Malformed(new GoldenLines(folder));
                break;
            case "sentencepiece":
                SentencePiece(new GoldenLines(folder));
                break;
            case "tiktoken":
                Tiktoken(new GoldenLines(folder));
                break;
            case "train":
                Train(new GoldenLines(folder));
                break;
            default:
                Golden.Skip(Area, $"golden cases of kind {kind}");
                return;
        }
        Golden.Ran(Area);
    }

    private static string Kind(string folder) => Golden.Read(folder).GetProperty("kind").GetString()!;

    private static void Tokenize(GoldenLines golden)
    {
        GoldenLines.Knows(golden.Case, "case.json", "case", "library", "versions", "kind", "tokenizers", "lines", "count", "notes", "may_refuse", "ids_of_added", "vocabulary_size");
        string[] mayRefuse = golden.Case.TryGetProperty("may_refuse", out var list) ? [.. list.EnumerateArray().Select(name => name.GetString()!)] : [];
        var refused = new HashSet<string>();
        var lines = 0;
        foreach (var (number, line) in golden.Read("lines"))
        {
            lines++;
            GoldenLines.Knows(
                line, $"line {number}", "t", "text", "utf16", "pair", "pair_utf16", "texts", "ids", "special", "decoded", "decoded_skip_special", "offsets", "words", "sequences",
                "type_ids", "special_mask", "special_sequences", "special_offsets", "splits", "normalized");
            var name = line.GetProperty("t").GetString()!;
            if (refused.Contains(name)) continue;
            try
            {
                TokenizeLine(golden, number, name, line);
            }
            catch (RequestException e) when (mayRefuse.Contains(name))
            {
                Assert.Contains("regular expression", e.Message, StringComparison.Ordinal);
                refused.Add(name);
            }
        }
        if (golden.Case.TryGetProperty("ids_of_added", out var added))
        {
            foreach (var entry in added.EnumerateObject())
            {
                foreach (var token in entry.Value.EnumerateObject()) Assert.Equal(token.Value.GetInt32(), golden.Tokenizer(entry.Name).TokenId(token.Name));
            }
        }
        if (golden.Case.TryGetProperty("vocabulary_size", out var sizes))
        {
            foreach (var entry in sizes.EnumerateObject()) Assert.Equal(entry.Value.GetProperty("with_added").GetInt32(), golden.Tokenizer(entry.Name).VocabularySize);
        }
        golden.Finish(lines);
    }

    private static void TokenizeLine(GoldenLines golden, int number, string name, JsonElement line)
    {
        var tokenizer = golden.Tokenizer(name);
        var ids = GoldenLines.Ints(line.GetProperty("ids"));
        var special = line.TryGetProperty("special", out var withSpecial) ? GoldenLines.Ints(withSpecial) : ids;
        string[]? words = line.TryGetProperty("texts", out var texts) ? [.. texts.EnumerateArray().Select(word => word.GetString()!)] : null;
        var (text, pair) = (GoldenLines.Text(line, "text"), GoldenLines.Text(line, "pair"));

        var plain = words is null ? tokenizer.EncodeFull(text!, pair, addSpecialTokens: false) : tokenizer.EncodeWords(words, addSpecialTokens: false);
        var full = words is null ? tokenizer.EncodeFull(text!, pair) : tokenizer.EncodeWords(words);
        if (words is null && pair is null)
        {
            golden.Equal(number, $"{name} ids", ids, tokenizer.Encode(text!));
            golden.Equal(number, $"{name} ids with special tokens", special, tokenizer.Encode(text!, addSpecialTokens: true));
        }
        golden.Equal(number, $"{name} ids with spans", ids, plain.Ids);
        golden.Equal(number, $"{name} special ids with spans", special, full.Ids);

        if (line.TryGetProperty("offsets", out var offsets))
        {
            golden.Equal(number, $"{name} spans of {line.GetRawText()}", ExpectedSpans(offsets, plain, text, pair, words), plain.Spans);
        }
        if (line.TryGetProperty("words", out var numbers)) golden.Equal(number, $"{name} words", [.. numbers.EnumerateArray().Select(Nullable)], plain.Words);
        if (line.TryGetProperty("sequences", out var sequences)) golden.Equal(number, $"{name} sequences", [.. sequences.EnumerateArray().Select(Nullable)], plain.Sequences);
        if (line.TryGetProperty("special_sequences", out sequences)) golden.Equal(number, $"{name} special sequences", [.. sequences.EnumerateArray().Select(Nullable)], full.Sequences);
        if (line.TryGetProperty("special_offsets", out offsets)) golden.Equal(number, $"{name} special spans", ExpectedSpans(offsets, full, text, pair, words), full.Spans);
        golden.Equal(number, $"{name} type ids", line.TryGetProperty("type_ids", out var types) ? GoldenLines.Ints(types) : new int[full.Count], full.TypeIds);
        golden.Equal(
            number, $"{name} special mask", line.TryGetProperty("special_mask", out var mask) ? [.. GoldenLines.Ints(mask).Select(value => value == 1)] : line.TryGetProperty("offsets", out _) ? new bool[full.Count] : full.Special, full.Special);
        if (line.TryGetProperty("splits", out var splits)) golden.Equal(number, $"{name} splits", [.. splits.EnumerateArray().Select(piece => piece.GetString()!)], tokenizer.Pieces(text!));
        if (line.TryGetProperty("normalized", out var normalized)) golden.Equal(number, $"{name} normalized", normalized.GetString()!, tokenizer.NormalizedText(text!));

        if (words is not null || IdsOnly(golden.Case, name)) return;
        var decoded = line.TryGetProperty("decoded", out var value) ? value.GetString()! : GoldenLines.Clean(text!);
        golden.Equal(number, $"{name} decoded", decoded, tokenizer.Decode(ids));
        golden.Equal(number, $"{name} decoded without special tokens", line.TryGetProperty("decoded_skip_special", out value) ? value.GetString()! : decoded, tokenizer.Decode(ids, skipSpecialTokens: true));
    }

    private static bool IdsOnly(JsonElement info, string name) =>
        info.TryGetProperty("notes", out var notes) && notes.TryGetProperty(name, out var note) && note.ValueKind == JsonValueKind.String
        && note.GetString()!.StartsWith("ids only", StringComparison.Ordinal);

    private static int? Nullable(JsonElement value) => value.ValueKind == JsonValueKind.Null ? null : value.GetInt32();

    /// <summary>Each span counts in the text, the second text or the word that its token came from.</summary>
    private static TextSpan[] ExpectedSpans(JsonElement offsets, TokenEncoding encoding, string? text, string? pair, string[]? words)
    {
        var spans = new TextSpan[offsets.GetArrayLength()];
        var sequences = encoding.Sequences;
        for (var i = 0; i < spans.Length; i++)
        {
            var source = words is not null && i < encoding.Count ? words[encoding.Words[i] ?? 0] : i < sequences.Length && sequences[i] == 1 && pair is not null ? pair : text!;
            using var one = JsonDocument.Parse($"[{offsets[i].GetRawText()}]");
            spans[i] = GoldenLines.Spans(one.RootElement, source)[0];
        }
        return spans;
    }

    private static void Decode(GoldenLines golden)
    {
        GoldenLines.Knows(golden.Case, "case.json", "case", "library", "versions", "kind", "tokenizers", "lines", "count");
        var lines = 0;
        foreach (var (number, line) in golden.Read("lines"))
        {
            lines++;
            GoldenLines.Knows(line, $"line {number}", "t", "ids", "decoded", "decoded_skip_special", "error");
            var tokenizer = golden.Tokenizer(line.GetProperty("t").GetString()!);
            var ids = GoldenLines.Ints(line.GetProperty("ids"));
            var (plain, skipped) = (tokenizer.Decode(ids), tokenizer.Decode(ids, skipSpecialTokens: true));
            if (line.TryGetProperty("error", out _)) continue;
            var decoded = line.GetProperty("decoded").GetString()!;
            golden.Equal(number, line.GetProperty("t").GetString()!, decoded, plain);
            golden.Equal(number, line.GetProperty("t").GetString()!, line.TryGetProperty("decoded_skip_special", out var value) ? value.GetString()! : decoded, skipped);
            golden.Equal(number, "stream", plain, Whole(tokenizer, ids));
        }
        golden.Finish(lines);
    }

    private static string Whole(HfTokenizer tokenizer, int[] ids)
    {
        if (ids.Any(id => tokenizer.Token(id) is ['<', '0', 'x', ..])) return tokenizer.Decode(ids);
        var stream = tokenizer.Stream();
        return string.Concat(ids.Select(stream.Add)) + stream.Finish();
    }

    private static void Stream(GoldenLines golden)
    {
        GoldenLines.Knows(
            golden.Case, "case.json", "case", "library", "versions", "kind", "tokenizers", "lines", "count", "error_count", "differs_count", "rest_count", "check_counts");
        var lines = 0;
        foreach (var (number, line) in golden.Read("lines"))
        {
            lines++;
            GoldenLines.Knows(line, $"line {number}", "t", "ids", "skip", "steps", "text", "rest", "check", "differs", "error", "note");
            var stream = golden.Tokenizer(line.GetProperty("t").GetString()!).Stream(line.GetProperty("skip").GetBoolean());
            string[] steps = [.. GoldenLines.Ints(line.GetProperty("ids")).Select(stream.Add)];
            var all = string.Concat(steps) + stream.Finish();
            string[] expected = [.. line.GetProperty("steps").EnumerateArray().Select(step => step.GetString() ?? "")];
            var (text, what) = (line.GetProperty("text").GetString()!, $"{line.GetProperty("t").GetString()}");
            switch (line.GetProperty("check").GetString())
            {
                case "steps":
                    golden.Equal(number, what, expected, steps);
                    golden.Equal(number, what, text, all);
                    break;
                case "text":
                    golden.Equal(number, what, text, all);
                    break;
                case "either":
                    var known = line.TryGetProperty("error", out var error) ? error.GetProperty("at").GetInt32() : expected.Length;
                    if (all != text && !expected.Take(known).SequenceEqual(steps.Take(known))) golden.Add(number, $"{what}: neither the text nor the library's steps: {line.GetRawText()} [{string.Join('|', steps)}]");
                    break;
                default:
                    Assert.Fail($"line {number}: check {line.GetProperty("check")}");
                    break;
            }
        }
        golden.Finish(lines);
    }

    /// <summary>Nothing is applied unasked; asked, it is what the library does.</summary>
    private static void Truncate(GoldenLines golden)
    {
        GoldenLines.Knows(golden.Case, "case.json", "case", "library", "versions", "kind", "tokenizers", "lines", "count", "blocks");
        var lines = 0;
        foreach (var (number, line) in golden.Read("lines"))
        {
            lines++;
            GoldenLines.Knows(line, $"line {number}", "t", "text", "pair", "plain", "library", "library_no_special", "batch");
            var tokenizer = golden.Tokenizer(line.GetProperty("t").GetString()!);
            var (truncation, padding) = (tokenizer.FileTruncation, tokenizer.FilePadding);
            if (line.TryGetProperty("batch", out var batch))
            {
                string[] texts = [.. batch.EnumerateArray().Select(value => value.GetString()!)];
                if (Field(line.GetProperty("library"), "error") is not null)
                {
                    Assert.Throws<RequestException>(() => tokenizer.EncodeBatch(texts, true, truncation, padding));
                    continue;
                }
                var all = tokenizer.EncodeBatch(texts, true, truncation, padding);
                for (var i = 0; i < texts.Length; i++)
                {
                    golden.Equal(number, "plain", GoldenLines.Ints(line.GetProperty("plain")[i]), tokenizer.Encode(texts[i], addSpecialTokens: true));
                    Compare(golden, number, texts[i], null, line.GetProperty("library")[i], all[i], overflows: false);
                }
                continue;
            }
            var (text, pair) = (line.GetProperty("text").GetString()!, line.TryGetProperty("pair", out var second) ? second.GetString() : null);
            golden.Equal(number, "plain", GoldenLines.Ints(line.GetProperty("plain")), tokenizer.EncodeFull(text, pair).Ids);
            foreach (var (name, special) in new[] { ("library", true), ("library_no_special", false) })
            {
                if (!line.TryGetProperty(name, out var expected)) continue;
                if (expected.TryGetProperty("error", out var error))
                {
                    Assert.Contains("truncation: ", Assert.Throws<RequestException>(() => tokenizer.EncodeFull(text, pair, special, truncation, padding)).Message, StringComparison.Ordinal);
                    continue;
                }
                Compare(golden, number, text, pair, expected, tokenizer.EncodeFull(text, pair, special, truncation, padding));
            }
        }
        golden.Finish(lines);
    }

    private static void Compare(GoldenLines golden, int number, string text, string? pair, JsonElement expected, TokenEncoding actual, bool overflows = true)
    {
        GoldenLines.Knows(expected, $"line {number}", "ids", "mask", "type_ids", "offsets", "overflowing");
        golden.Equal(number, "ids", GoldenLines.Ints(expected.GetProperty("ids")), actual.Ids);
        if (expected.TryGetProperty("mask", out var mask)) golden.Equal(number, "mask", GoldenLines.Ints(mask), [.. actual.Attended.Select(attended => attended ? 1 : 0)]);
        else golden.Equal(number, "mask", [.. Enumerable.Repeat(true, actual.Count)], actual.Attended);
        if (expected.TryGetProperty("type_ids", out var types)) golden.Equal(number, "type ids", GoldenLines.Ints(types), actual.TypeIds);
        if (expected.TryGetProperty("offsets", out var offsets)) golden.Equal(number, "spans", ExpectedSpans(offsets, actual, text, pair, null), actual.Spans);
        if (!overflows) return;
        var overflowing = expected.TryGetProperty("overflowing", out var list) ? list.EnumerateArray().ToList() : [];
        golden.Equal(number, "number of overflows", [overflowing.Count], [actual.Overflowing.Count]);
        for (var i = 0; i < Math.Min(overflowing.Count, actual.Overflowing.Count); i++) Compare(golden, number, text, pair, overflowing[i], actual.Overflowing[i]);
    }

    /// <summary>A damaged file is refused with a message that names the file and the place, or read as the library reads it.</summary>
    private static void Malformed(GoldenLines golden)
    {
        GoldenLines.Knows(golden.Case, "case.json", "case", "library", "versions", "kind", "files", "count", "refused_by_library_count");
        var number = 0;
        foreach (var entry in golden.Case.GetProperty("files").EnumerateArray())
        {
            number++;
            GoldenLines.Knows(entry, $"file {number}", "file", "wrong", "library", "error", "reader", "text", "ids", "tokens", "decoded", "does");
            var (file, reader) = (entry.GetProperty("file").GetString()!, entry.GetProperty("reader").GetString()!);
            try
            {
                var tokenizer = HfTokenizer.Load(Path.Combine(golden.Folder, file));
                if (reader == "refuse" || !entry.TryGetProperty("text", out var text))
                {
                    if (reader == "refuse") golden.Add(number, $"{file} was accepted: {entry.GetProperty("wrong")}");
                    continue;
                }
                var ids = GoldenLines.Ints(entry.GetProperty("ids"));
                golden.Equal(number, file, ids, tokenizer.Encode(text.GetString()!));
                golden.Equal(number, file, [.. entry.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!)], [.. ids.Select(id => tokenizer.Token(id)!)]);
                if (entry.TryGetProperty("decoded", out var decoded)) golden.Equal(number, file, decoded.GetString()!, tokenizer.Decode(ids));
            }
            catch (RequestException e)
            {
                if (reader == "accept") golden.Add(number, $"{file} was refused: {e.Message}");
                if (!e.Message.Contains(file, StringComparison.Ordinal)) golden.Add(number, $"the message does not name {file}: {e.Message}");
                TestContext.Current.SendDiagnosticMessage(e.Message);
            }
        }
        golden.Finish(number);
    }

    /// <summary>The model file gives sentencepiece's ids, the converted files theirs.</summary>
    private static void SentencePiece(GoldenLines golden)
    {
        GoldenLines.Knows(
            golden.Case, "case.json", "case", "library", "versions", "kind", "model", "tokenizers", "lines", "count", "decode", "decode_count", "spec", "lines_where_tokenizer_json_differs");
        var tokenizer = HfTokenizer.Load(Path.Combine(golden.Folder, golden.Case.GetProperty("model").GetString()!));
        var spec = golden.Case.GetProperty("spec");
        Assert.Equal(spec.GetProperty("size").GetInt32(), tokenizer.VocabularySize);
        foreach (var (role, id) in new[] { ("unk_id", tokenizer.UnkId), ("bos_id", tokenizer.BosId), ("eos_id", tokenizer.EosId), ("pad_id", tokenizer.PadId) })
        {
            Assert.Equal(spec.GetProperty(role).GetInt32(), id ?? -1);
        }
        string[] converted = golden.Case.TryGetProperty("tokenizers", out var names) ? [.. names.EnumerateObject().Select(name => name.Name)] : [];
        var lines = 0;
        foreach (var (number, line) in golden.Read("lines"))
        {
            lines++;
            GoldenLines.Knows(line, $"line {number}", "text", "ids", "decoded", "offsets", "json");
            var text = line.GetProperty("text").GetString()!;
            var ids = GoldenLines.Ints(line.GetProperty("ids"));
            golden.Equal(number, $"ids of {line.GetProperty("text")}", ids, tokenizer.Encode(text));
            var full = tokenizer.EncodeFull(text);
            golden.Equal(number, "ids with spans", ids, full.Ids);
            golden.Equal(number, $"spans of {line.GetProperty("text")}", GoldenLines.SpansOfBytes(line.GetProperty("offsets"), text), full.Spans);
            var decoded = line.TryGetProperty("decoded", out var value) ? value.GetString()! : text;
            golden.Equal(number, "decoded", decoded, tokenizer.Decode(ids));
            golden.Equal(number, "stream", decoded, Streamed(tokenizer, ids));
            foreach (var name in converted)
            {
                var json = line.TryGetProperty("json", out var all) && all.TryGetProperty(name, out var one) ? one : default;
                var expected = Field(json, "ids") is { } own ? GoldenLines.Ints(own) : ids;
                golden.Equal(number, $"{name} ids", expected, golden.Tokenizer(name).Encode(text));
                golden.Equal(number, $"{name} special", Field(json, "special") is { } special ? GoldenLines.Ints(special) : expected, golden.Tokenizer(name).Encode(text, true));
                golden.Equal(number, $"{name} decoded", Field(json, "decoded") is { } other ? other.GetString()! : decoded, golden.Tokenizer(name).Decode(expected));
            }
        }
        golden.Finish(lines);
        foreach (var (number, line) in golden.Read("decode"))
        {
            GoldenLines.Knows(line, $"decode line {number}", "ids", "decoded");
            golden.Equal(number, "decode.jsonl", line.GetProperty("decoded").GetString()!, tokenizer.Decode(GoldenLines.Ints(line.GetProperty("ids"))));
            golden.Equal(number, "decode.jsonl stream", line.GetProperty("decoded").GetString()!, Streamed(tokenizer, GoldenLines.Ints(line.GetProperty("ids"))));
        }
        golden.Finish(lines);
    }

    private static JsonElement? Field(JsonElement element, string name) => element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : null;

    private static string Streamed(HfTokenizer tokenizer, int[] ids)
    {
        var stream = tokenizer.Stream();
        return string.Concat(ids.Select(stream.Add)) + stream.Finish();
    }

    private static void Tiktoken(GoldenLines golden)
    {
        GoldenLines.Knows(
            golden.Case, "case.json", "case", "library", "versions", "kind", "model", "pattern", "special_tokens", "tokenizers", "lines", "count", "decode", "decode_count",
            "converted_differs_count");
        var special = golden.Case.GetProperty("special_tokens").EnumerateObject().ToDictionary(token => token.Name, token => token.Value.GetInt32());
        var tokenizer = HfTokenizer.LoadTiktoken(Path.Combine(golden.Folder, golden.Case.GetProperty("model").GetString()!), golden.Case.GetProperty("pattern").GetString()!, special);
        var lines = 0;
        foreach (var (number, line) in golden.Read("lines"))
        {
            lines++;
            GoldenLines.Knows(line, $"line {number}", "text", "utf16", "ids", "plain", "starts");
            var text = GoldenLines.Text(line, "text")!;
            var ids = GoldenLines.Ints(line.GetProperty("ids"));
            golden.Equal(number, "ids", ids, tokenizer.Encode(text));
            golden.Equal(number, "plain ids", line.TryGetProperty("plain", out var plain) ? GoldenLines.Ints(plain) : ids, tokenizer.EncodePlain(text));
            golden.Equal(number, "converted ids", ids, golden.Tokenizer("converted").Encode(text));
            var starts = GoldenLines.Ints(line.GetProperty("starts"));
            using var spans = JsonDocument.Parse($"[{string.Join(',', starts.Select(start => $"[{start},{start}]"))}]");
            golden.Equal(number, "starts", [.. GoldenLines.Spans(spans.RootElement, text).Select(span => span.Start)], [.. tokenizer.EncodeFull(text).Spans.Select(span => span.Start)]);
            golden.Equal(number, "decoded", GoldenLines.Clean(text), tokenizer.Decode(ids));
        }
        foreach (var (number, line) in golden.Read("decode"))
        {
            GoldenLines.Knows(line, $"decode line {number}", "ids", "decoded", "bytes", "converted_same");
            golden.Equal(number, "decode.jsonl", line.GetProperty("decoded").GetString()!, tokenizer.Decode(GoldenLines.Ints(line.GetProperty("ids"))));
        }
        golden.Finish(lines);
    }

    /// <summary>Vocabulary and merges equal the library's in order; one thread and several give the same.</summary>
    private static void Train(GoldenLines golden)
    {
        GoldenLines.Knows(golden.Case, "case.json", "case", "library", "versions", "kind", "corpus", "variants", "count");
        var corpus = File.ReadAllText(Path.Combine(golden.Folder, golden.Case.GetProperty("corpus").GetString()!));
        var number = 0;
        foreach (var variant in golden.Case.GetProperty("variants").EnumerateObject())
        {
            number++;
            var v = variant.Value;
            GoldenLines.Knows(
                v, variant.Name, "pattern", "pre_tokenizer", "feed", "vocab_size", "min_frequency", "special_tokens", "initial_alphabet", "limit_alphabet", "max_token_length", "normalizer",
                "expected", "entries", "merges");
            string[] texts = v.GetProperty("feed") is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray().Select(text => text.GetString()!)] : v.GetProperty("feed").GetString() switch
            {
                "lines" => [.. BpeTrainer.Lines(corpus)],
                "documents" => corpus.Split("\n\n"),
                "whole" => [corpus],
                var other => throw new InvalidOperationException(other),
            };
            string[] special = [.. v.GetProperty("special_tokens").EnumerateArray().Select(token => token.GetString()!)];
            var (size, frequency) = (v.GetProperty("vocab_size").GetInt32(), v.GetProperty("min_frequency").GetInt64());
            using var expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(golden.Folder, v.GetProperty("expected").GetString()!)));
            var model = expected.RootElement.GetProperty("model");
            string[] entries = [.. model.GetProperty("vocab").EnumerateObject().OrderBy(entry => entry.Value.GetInt32()).Select(entry => entry.Name)];
            entries = entries[..v.GetProperty("entries").GetInt32()];
            if (model.GetProperty("type").GetString() == "WordLevel")
            {
                foreach (var threads in new[] { 1, 4 }) golden.Equal(number, variant.Name, entries, WordLevelTrainer.Train(texts, size, frequency, special, threads));
                continue;
            }
            var training = new BpeTraining
            {
                VocabularySize = size,
                MinFrequency = frequency,
                SpecialTokens = special,
                Pattern = Field(v, "pattern")?.GetString() switch
                {
                    "gpt2" => TrainingPattern.Gpt2,
                    "cl100k" => TrainingPattern.Cl100k,
                    "qwen2" => TrainingPattern.Qwen2,
                    null when v.GetProperty("pre_tokenizer").GetProperty("type").GetString() == "Whitespace" => TrainingPattern.Words,
                    var other => throw new InvalidOperationException(other),
                },
                AllBytes = v.GetProperty("initial_alphabet").GetString() == "bytes",
                LimitAlphabet = Field(v, "limit_alphabet")?.GetInt32(),
                MaxTokenLength = Field(v, "max_token_length")?.GetInt32(),
                ComposeUnicode = Field(v, "normalizer")?.GetString() == "NFC",
            };
            string[] merges = [.. model.GetProperty("merges").EnumerateArray().Take(v.GetProperty("merges").GetInt32()).Select(merge => $"{merge[0]} {merge[1]}")];
            foreach (var threads in new[] { 1, 4 })
            {
                var trained = BpeTrainer.Train(texts, training, threads: threads);
                golden.Equal(number, $"{variant.Name} entries", entries, trained.Tokens);
                golden.Equal(number, $"{variant.Name} merges", merges, [.. trained.Merges.Select(merge => $"{merge.Left} {merge.Right}")]);
                if (entries.Length < model.GetProperty("vocab").EnumerateObject().Count()) continue;
                Assert.True(System.Text.Json.Nodes.JsonNode.DeepEquals(System.Text.Json.Nodes.JsonNode.Parse(expected.RootElement.GetRawText()), trained.ToJson()), $"{variant.Name}: tokenizer.json differs");
            }
        }
        golden.Finish(number);
    }
}

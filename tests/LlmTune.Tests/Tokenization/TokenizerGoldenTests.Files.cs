using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <content>Kinds of cases about whole files: truncation and padding, damaged files, SentencePiece, tiktoken, training.</content>
public sealed partial class TokenizerGoldenTests
{
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
                Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected.RootElement.GetRawText()), trained.ToJson()), $"{variant.Name}: tokenizer.json differs");
            }
        }
        golden.Finish(number);
    }
}

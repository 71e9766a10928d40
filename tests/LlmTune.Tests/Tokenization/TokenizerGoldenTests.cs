using System.Text.Json;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <summary>Every case of the golden area tokenizers, against Hugging Face's Rust library, sentencepiece and tiktoken.</summary>
public sealed partial class TokenizerGoldenTests
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
}

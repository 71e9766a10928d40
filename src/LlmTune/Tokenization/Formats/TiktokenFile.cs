using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// Rank files of tiktoken: a line a token, its bytes in base64 and its rank. Of two neighbours that together are an entry those of
/// the lowest rank are joined first; a whole piece that is an entry is taken at once.
/// </summary>
internal static class TiktokenFile
{
    /// <summary>Whether a tokenizer.model is one of these: its first line is base64 and a number.</summary>
    public static bool IsOne(string file)
    {
        var head = new byte[512];
        using var stream = File.OpenRead(file);
        var line = head.AsSpan(0, stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false));
        var end = line.IndexOf((byte)'\n');
        if (end < 0) return false;
        var space = line[..end].IndexOf((byte)' ');
        return space > 0 && Base64.IsValid(line[..space]) && line[(space + 1)..end].TrimEnd("\r"u8).IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;
    }

    /// <summary>With Llama 3's pattern, and the special tokens of tokenizer_config.json or else Llama 3's own after the ranks.</summary>
    public static TokenizerParts ReadLlama3(string file, TokenizerConfig config)
    {
        var ranks = ReadRanks(file);
        (int, string)[] special = [.. config.AddedTokens()];
        if (special.Length == 0) special = [.. Llama3Special().Select((content, i) => (ranks.Count + i, content))];
        var parts = Build(file, ranks, Scanners.Cl100kPattern, special);
        var begin = special.FirstOrDefault(token => token.Item2 == "<|begin_of_text|>");
        return parts with
        {
            PostProcessor = TemplateProcessor.Around(begin.Item2 is null ? null : begin, null),
            Roles = new Dictionary<string, string> { ["bos_token"] = "<|begin_of_text|>", ["eos_token"] = "<|end_of_text|>" },
        };
    }

    public static TokenizerParts Read(string file, string pattern, IEnumerable<(int Id, string Content)> special) =>
        Build(file, ReadRanks(file), pattern, special);

    private static TokenizerParts Build(string file, List<byte[]> ranks, string pattern, IEnumerable<(int Id, string Content)> special)
    {
        string[] tokens = [.. ranks.Select(bytes => string.Create(bytes.Length, bytes, (chars, source) =>
        {
            for (var i = 0; i < source.Length; i++) chars[i] = ByteLevel.ToChar(source[i]);
        }))];
        var vocabulary = Vocabulary.Of(tokens);
        if (vocabulary.Count < tokens.Length) throw new RequestException($"{file}: some tokens are there twice");
        var settings = new BpeSettings { IgnoreMerges = true };
        if (!Bpe.CanWorkOnBytes(vocabulary, settings)) throw new RequestException($"{file}: some of the 256 single bytes have no rank");
        var pairs = new List<(int Left, int Right, int Rank)>();
        for (var rank = 0; rank < tokens.Length; rank++)
        {
            var token = tokens[rank].AsSpan();
            for (var cut = 1; cut < token.Length; cut++)
            {
                if (vocabulary.TryGetId(token[..cut], out var left) && vocabulary.TryGetId(token[cut..], out var right)) pairs.Add((left, right, rank));
            }
        }
        var merges = new Merges(pairs.Count, tokens.Length);
        foreach (var (left, right, rank) in pairs) merges.Add(left, right, rank, rank);
        try
        {
            return new TokenizerParts(new Bpe(vocabulary, merges, null, settings, onBytes: true))
            {
                Splitter = Splitter.Isolating(TextPattern.Regex(pattern)),
                Decoder = TokenDecoder.Of((next, s) => new ByteLevelWriter(next, s.Eager) { TokensComeWhole = s.TokensComeWhole }),
                AddedTokens = AddedTokens.Special(special),
            };
        }
        catch (FormatException e)
        {
            throw new RequestException($"the regular expression {pattern} cannot be used: {e.Message}", e);
        }
    }

    private static List<byte[]> ReadRanks(string file)
    {
        var ranks = new List<byte[]>();
        var number = 0;
        foreach (var line in File.ReadLines(file, Encoding.Latin1))
        {
            number++;
            if (line.Length == 0) continue;
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space <= 0 || !Base64.IsValid(line.AsSpan(0, space))
                || !int.TryParse(line.AsSpan(space + 1), CultureInfo.InvariantCulture, out var rank))
            {
                throw new RequestException($"{file}:{number}: expected base64 and a rank, found '{line}'");
            }
            if (rank != ranks.Count) throw new RequestException($"{file}:{number}: expected the rank {ranks.Count}, found {rank}");
            var bytes = Convert.FromBase64String(line[..space]);
            ranks.Add(bytes.Length > 0 ? bytes : throw new RequestException($"{file}:{number}: the token is empty"));
        }
        return ranks;
    }

    private static IEnumerable<string> Llama3Special() =>
    [
        "<|begin_of_text|>", "<|end_of_text|>", .. Reserved(0, 4), "<|start_header_id|>", "<|end_header_id|>", .. Reserved(4, 5), "<|eot_id|>",
        .. Reserved(5, 251),
    ];

    private static IEnumerable<string> Reserved(int from, int to) => Enumerable.Range(from, to - from).Select(i => $"<|reserved_special_token_{i}|>");
}

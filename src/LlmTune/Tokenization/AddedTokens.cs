using System.Buffers;
using System.Text;

namespace LlmTune.Tokenization;

/// <summary>A token that is cut out of the text before the model sees it.</summary>
/// <param name="SingleWord">Not beside a letter, mark, digit, connector or joiner.</param>
/// <param name="StripLeft">Swallows white space before it.</param>
/// <param name="StripRight">Swallows white space behind it.</param>
/// <param name="Normalized">Looked for in the normalized text, its own content normalized too.</param>
/// <param name="Special">Left out of decoded text on request.</param>
public sealed record AddedToken(int Id, string Content, bool SingleWord, bool StripLeft, bool StripRight, bool Normalized, bool Special)
{
    /// <summary>Instead of an id, of a token that has none yet.</summary>
    internal const int NoId = -1;
}

/// <summary>
/// The added tokens of a tokenizer. A content that the vocabulary has keeps its id there, any other takes the next free one,
/// whatever the file says.
/// </summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, AddedToken> _byContent = new(StringComparer.Ordinal);
    private readonly Dictionary<int, AddedToken> _byId = [];
    private readonly Dictionary<int, string> _normalized = [];
    private int _new;   // tokens that the vocabulary has not

    private AddedTokens()
    {
    }

    /// <summary>Those looked for in the text as it is.</summary>
    public TokenFinder Raw { get; private set; } = TokenFinder.Nothing;

    /// <summary>Those looked for in the normalized text.</summary>
    public TokenFinder AfterNormalizer { get; private set; } = TokenFinder.Nothing;

    public IReadOnlyCollection<AddedToken> All => _byId.Values;

    public AddedToken? ById(int id) => _byId.GetValueOrDefault(id);

    public AddedToken? ByContent(string content) => _byContent.GetValueOrDefault(content);

    /// <summary>What the token is to a decoder: its normalized content, which the decoder takes back.</summary>
    public string? DecodedToken(int id) => _byId.TryGetValue(id, out var token) ? _normalized.GetValueOrDefault(id, token.Content) : null;

    /// <summary>Whether what a decoder sees of the token is the content of a special one.</summary>
    public bool IsSpecial(int id) => DecodedToken(id) is { } content && _byContent.TryGetValue(content, out var token) && token.Special;

    public static AddedTokens Read(JsonField field, Vocabulary vocabulary, TextNormalizer? normalizer)
    {
        var added = new AddedTokens();
        if (field.IsNull) return added;
        foreach (var item in field.Items())
        {
            item.Object();
            _ = item["id"].Count();
            var content = item["content"].Text();
            if (content.Length == 0) continue;
            added.Add(vocabulary, new AddedToken(
                AddedToken.NoId, content,
                item["single_word"].Flag(), item["lstrip"].Flag(), item["rstrip"].Flag(), item["normalized"].Flag(), item["special"].Flag()));
        }
        added.Build(normalizer);
        return added;
    }

    /// <summary>These tokens with those that files beside the vocabulary add, as transformers adds them.</summary>
    public AddedTokens With(TokenizerConfig config, Vocabulary vocabulary, TextNormalizer? normalizer)
    {
        var (listed, special) = (config.Listed(), config.Special());
        if (listed.Count + special.Count == 0) return this;
        var all = new AddedTokens { _new = _new };
        foreach (var token in All) all._byContent[token.Content] = all._byId[token.Id] = token;
        foreach (var token in listed) all.Add(vocabulary, token);
        var known = all._byContent.Keys.ToHashSet(StringComparer.Ordinal);
        foreach (var token in special.Where(token => !known.Contains(token.Content))) all.Add(vocabulary, token);
        all.Build(normalizer);
        return all;
    }

    /// <summary>Gives a token its id: the one that it has, else the next one that is free.</summary>
    private void Add(Vocabulary vocabulary, AddedToken token)
    {
        if ((ByContent(token.Content)?.Id ?? vocabulary.Id(token.Content)) is not { } id)
        {
            id = vocabulary.Count + _new++;
            while (_byId.ContainsKey(id) || vocabulary.Token(id) is not null) id = vocabulary.Count + _new++;
        }
        _byContent[token.Content] = _byId[id] = token with { Id = id };
    }

    /// <summary>Special tokens, cut out of the text wherever they stand in it.</summary>
    public static AddedTokens Special(IEnumerable<(int Id, string Content)> tokens) => InText(tokens.Select(token => (token.Id, token.Content, true)));

    /// <summary>Tokens, special or not, cut out of the text wherever they stand in it.</summary>
    public static AddedTokens InText(IEnumerable<(int Id, string Content, bool Special)> tokens)
    {
        var added = new AddedTokens();
        foreach (var (id, content, special) in tokens)
        {
            var token = new AddedToken(id, content, SingleWord: false, StripLeft: false, StripRight: false, Normalized: false, special);
            added._byContent[content] = added._byId[id] = token;
        }
        added.Build(null);
        return added;
    }

    /// <summary>Special tokens that text never stands for.</summary>
    public static AddedTokens NotInText(IEnumerable<(int Id, string Content)> tokens)
    {
        var added = new AddedTokens();
        foreach (var (id, content) in tokens)
        {
            var token = new AddedToken(id, content, SingleWord: false, StripLeft: false, StripRight: false, Normalized: false, Special: true);
            added._byContent[content] = added._byId[id] = token;
        }
        return added;
    }

    private void Build(TextNormalizer? normalizer)
    {
        foreach (var token in _byId.Values.Where(token => token.Normalized && normalizer is not null))
        {
            var text = AlignedText.Untracked(token.Content, 0);
            normalizer!.Apply(text);
            if (text.Text != token.Content) _normalized[token.Id] = text.Text;
        }
        Raw = TokenFinder.Of(_byId.Values.Where(token => !token.Normalized).Select(token => (token.Content, token)));
        AfterNormalizer = TokenFinder.Of(_byId.Values.Where(token => token.Normalized).Select(token => (DecodedToken(token.Id)!, token)));
    }
}

/// <summary>Finds tokens in a text: the leftmost, of several there the longest.</summary>
internal sealed class TokenFinder
{
    public static readonly TokenFinder Nothing = new([]);

    private readonly Dictionary<string, AddedToken>.AlternateLookup<ReadOnlySpan<char>> _tokens;
    private readonly SearchValues<string>? _search;
    private readonly int[] _lengths;

    private TokenFinder(Dictionary<string, AddedToken> tokens)
    {
        _tokens = tokens.GetAlternateLookup<ReadOnlySpan<char>>();
        _lengths = [.. tokens.Keys.Select(content => content.Length).Distinct().OrderDescending()];
        if (tokens.Count > 0) _search = SearchValues.Create([.. tokens.Keys], StringComparison.Ordinal);
    }

    public static TokenFinder Of(IEnumerable<(string Content, AddedToken Token)> tokens)
    {
        var map = new Dictionary<string, AddedToken>(StringComparer.Ordinal);
        foreach (var (content, token) in tokens)
        {
            if (content.Length > 0) map[content] = token;
        }
        return map.Count == 0 ? Nothing : new TokenFinder(map);
    }

    /// <summary>The stretches of a text in order, those of tokens with their token; a text is one stretch where none is found.</summary>
    /// <param name="specialAsText">Special tokens are left in the text.</param>
    public List<(TextSpan Span, AddedToken? Token)> Cut(string text, bool specialAsText)
    {
        var parts = new List<(TextSpan, AddedToken?)>();
        var done = 0;
        for (var from = 0; _search is not null && from < text.Length;)
        {
            var at = text.AsSpan(from).IndexOfAny(_search);
            if (at < 0) break;
            var start = from + at;
            var token = LongestAt(text.AsSpan(start), out var length);
            var end = from = start + length;
            if (token.Special && specialAsText) continue;
            if (token.SingleWord && (IsWordBefore(text, start) || IsWordAt(text, end))) continue;
            if (token.StripLeft) start = Math.Max(done, text.AsSpan(0, start).TrimEnd().Length);
            if (token.StripRight) end = text.Length - text.AsSpan(end).TrimStart().Length;
            if (done < start) parts.Add((new TextSpan(done, start), null));
            parts.Add((new TextSpan(start, end), token));
            done = end;
        }
        if (done < text.Length) parts.Add((new TextSpan(done, text.Length), null));
        return parts;
    }

    private AddedToken LongestAt(ReadOnlySpan<char> text, out int length)
    {
        foreach (var candidate in _lengths)
        {
            if (candidate > text.Length || !_tokens.TryGetValue(text[..candidate], out var token)) continue;
            length = candidate;
            return token;
        }
        throw new InvalidOperationException("the search found a token that is none");
    }

    private static bool IsWordBefore(string text, int index) =>
        index > 0 && Rune.DecodeLastFromUtf16(text.AsSpan(0, index), out var rune, out _) == OperationStatus.Done && CharacterKinds.IsWord(rune);

    private static bool IsWordAt(string text, int index) => index < text.Length && CharacterKinds.IsWord(Utf16.RuneAt(text, index, out _));
}

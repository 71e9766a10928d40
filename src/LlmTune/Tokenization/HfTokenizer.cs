using System.Text.Json;
using Microsoft.ML.Tokenizers;

namespace LlmTune.Tokenization;

/// <summary>
/// A tokenizer as Hugging Face's library reads it from tokenizer.json, with the same ids, spans and texts. It may be used from
/// several threads. To other .NET libraries it is a <see cref="Tokenizer"/> of Microsoft.ML.Tokenizers.
/// </summary>
public sealed partial class HfTokenizer : Tokenizer
{
    /// <summary>Files with a vocabulary, the one that counts first.</summary>
    private static readonly string[] FileNames = ["tokenizer.json", "tokenizer.model"];

    private readonly TokenizerParts _parts;
    private readonly AddedTokens _added;
    private readonly bool _needsOrigins;
    private readonly HashSet<int> _roles;
    private readonly Lazy<bool> _allowsCuts;

    private HfTokenizer(string file, TokenizerParts parts, TokenizerConfig config)
    {
        (SourceFile, _parts, _added, Config) = (Path.GetFullPath(file), parts, parts.AddedTokens, config.Json);
        _needsOrigins = parts.Splitter is { } splitter && splitter.Steps.Skip(parts.Normalizer is null ? 1 : 0).Any(step => step.NeedsOrigins);
        VocabularySize = Math.Max(parts.Model.Vocabulary.Size, _added.All.Select(token => token.Id + 1).DefaultIfEmpty(0).Max());
        BosId = Role("bos_token");
        EosId = Role("eos_token");
        PadId = Role("pad_token");
        UnkId = Role("unk_token");
        _roles = [.. new[] { BosId, EosId, PadId, UnkId }.OfType<int>()];
        _allowsCuts = new Lazy<bool>(PartsSpellTheWhole);

        int? Role(string name) => (config.Token(name) ?? parts.Roles.GetValueOrDefault(name)) is { } token ? TokenId(token) : null;
    }

    /// <summary>The folder that the tokenizer was loaded from.</summary>
    public string Folder => Path.GetDirectoryName(SourceFile)!;

    /// <summary>The file that its vocabulary is from: tokenizer.json or tokenizer.model, as a rule.</summary>
    public string SourceFile { get; }

    /// <summary>The highest id + 1, added tokens included.</summary>
    public int VocabularySize { get; }

    /// <summary>As tokenizer_config.json names it, else special_tokens_map.json; null where none does.</summary>
    public int? BosId { get; }

    public int? EosId { get; }

    public int? PadId { get; }

    public int? UnkId { get; }

    /// <summary>tokenizer_config.json; null where there is none.</summary>
    public JsonElement? Config { get; }

    public IReadOnlyCollection<AddedToken> AddedTokens => _added.All;

    /// <summary>The truncation that the file asks for. Nothing applies it unasked.</summary>
    public Truncation? FileTruncation => _parts.Truncation;

    /// <summary>The padding that the file asks for. Nothing applies it unasked.</summary>
    public Padding? FilePadding => _parts.Padding;

    /// <param name="path">
    /// A folder with tokenizer.json (else tokenizer.model, of SentencePiece or of tiktoken as Llama 3 ships it) and perhaps
    /// tokenizer_config.json and special_tokens_map.json; or the path of a tokenizer file.
    /// </param>
    /// <exception cref="RequestException">There is no tokenizer, or it is damaged or of a kind that is not supported.</exception>
    public static HfTokenizer Load(string path)
    {
        if (File.Exists(path)) return LoadFile(path);
        if (!Directory.Exists(path)) throw new RequestException($"no tokenizer at {path}: there is no such folder or file");
        foreach (var name in FileNames)
        {
            var file = Path.Combine(path, name);
            if (File.Exists(file)) return LoadFile(file);
        }
        throw new RequestException($"{path} holds neither tokenizer.json nor tokenizer.model");
    }

    /// <summary>Whether a folder holds a tokenizer.</summary>
    public static bool IsIn(string folder) => Array.Exists(FileNames, name => File.Exists(Path.Combine(folder, name)));

    /// <summary>A rank file of tiktoken, whose pattern and special tokens stand in the code that uses it.</summary>
    /// <param name="pattern">A regular expression that cuts the text.</param>
    public static HfTokenizer LoadTiktoken(string file, string pattern, IReadOnlyDictionary<string, int> specialTokens)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        var parts = TiktokenFile.Read(file, pattern, specialTokens.Select(token => (token.Value, token.Key)));
        return new HfTokenizer(file, parts, TokenizerConfig.Load(folder));
    }

    /// <summary>The id of a token as the vocabulary or the added tokens write it; null where neither has it.</summary>
    public int? TokenId(string token) => _added.ByContent(token)?.Id ?? _parts.Model.Vocabulary.Id(token);

    /// <summary>The token of an id as the vocabulary or the added tokens write it; null where neither has it.</summary>
    public string? Token(int id) => _added.ById(id)?.Content ?? _parts.Model.Vocabulary.Token(id);

    /// <summary>Whether decoding leaves the token out on request: it is flagged so, or has a role (BOS, EOS, padding, unknown).</summary>
    public bool IsSpecial(int id) => _added.ById(id) is { Special: true } || _roles.Contains(id);

    /// <summary>Whether the parts of a text, encoded apart, spell what the whole does.</summary>
    internal bool AllowsCuts => _allowsCuts.Value;

    private bool PartsSpellTheWhole()
    {
        string Pieces(string text) => string.Concat(Encode(text).Select(Token));
        return ((string, string)[])[("a", "b"), ("a", " b"), ("a ", "b"), ("a\n", "\nb")] is var probes
            && Array.TrueForAll(probes, p => Pieces(p.Item1) + Pieces(p.Item2) == Pieces(p.Item1 + p.Item2));
    }

    private static HfTokenizer LoadFile(string file)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        var config = TokenizerConfig.Load(folder);
        var parts = !file.EndsWith(".model", StringComparison.Ordinal) ? TokenizerJson.Read(file)
            : TiktokenFile.IsOne(file) ? TiktokenFile.ReadLlama3(file, config)
            : SentencePieceFile.Read(file, config);
        return new HfTokenizer(file, parts, config);
    }
}

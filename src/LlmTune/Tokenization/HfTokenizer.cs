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
    private readonly TokenizerConfig _files;
    private readonly bool _needsOrigins;
    private readonly HashSet<int> _roles;
    private readonly Lazy<bool> _allowsCuts;

    private HfTokenizer(string file, TokenizerParts parts, TokenizerConfig config)
    {
        (SourceFile, _parts, Config, _files) = (Path.GetFullPath(file), parts, config.Json, config);
        _added = parts.AddedTokens.With(config, parts.Model.Vocabulary, parts.Normalizer);
        _needsOrigins = parts.Splitter is { } splitter && splitter.Steps.Skip(parts.Normalizer is null ? 1 : 0).Any(step => step.NeedsOrigins);
        VocabularySize = Math.Max(parts.Model.Vocabulary.Size, _added.All.Select(token => token.Id + 1).DefaultIfEmpty(0).Max());
        BosId = Role("bos_token");
        EosId = Role("eos_token");
        PadId = Role("pad_token");
        UnkId = Role("unk_token");
        _roles = [.. new[] { BosId, EosId, PadId, UnkId }.OfType<int>()];
        _allowsCuts = new Lazy<bool>(PartsSpellTheWhole);

        int? Role(string name) => RoleToken(name) is { } token ? TokenId(token) : null;
    }

    /// <summary>The folder that the tokenizer was loaded from.</summary>
    public string Folder => Path.GetDirectoryName(SourceFile)!;

    /// <summary>The file that its vocabulary is from: tokenizer.json or tokenizer.model, as a rule.</summary>
    public string SourceFile { get; }

    /// <summary>The highest id + 1, added tokens included.</summary>
    public int VocabularySize { get; }

    /// <summary>
    /// As tokenizer_config.json names it, or special_tokens_map.json, which counts more where the former has no added_tokens_decoder; null where
    /// none does. A token that the vocabulary has not is added to it.
    /// </summary>
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
        if (File.Exists(path)) return LoadFile(path, ofModel: false);
        if (!Directory.Exists(path)) throw new RequestException($"no tokenizer at {path}: there is no such folder or file");
        foreach (var name in FileNames)
        {
            var file = Path.Combine(path, name);
            if (File.Exists(file)) return LoadFile(file, ofModel: true);
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

    /// <summary>The token of a role like <c>eos_token</c>; null where nothing names one.</summary>
    internal string? RoleToken(string role) => _files.Token(role) ?? _parts.Roles.GetValueOrDefault(role);

    /// <exception cref="RequestException">The end of text is a token that a model of this vocabulary does not know.</exception>
    public void RequireEosWithin(int vocabulary)
    {
        if (EosId is not { } id || id < vocabulary) return;
        var isNew = _parts.AddedTokens.ById(id) is null && _parts.Model.Vocabulary.Token(id) is null;
        throw new RequestException(
            $"eos_token '{RoleToken("eos_token")}' of {_files.FileNaming("eos_token") ?? SourceFile} {(isNew ? $"is not in the vocabulary: it would be added to it as id {id}" : $"has the id {id}")}, "
            + $"and the model knows {vocabulary} ids; name a token that is there, or take the tokenizer that goes with the model");
    }

    /// <summary>
    /// The ids of a text as a model is to see it: with what the post-processor adds, but with one BOS where the text has one already, as the
    /// text of a chat template does.
    /// </summary>
    public int[] EncodeForModel(string text)
    {
        var ids = Encode(text, addSpecialTokens: true);
        return ids is [var first, var second, ..] && first == BosId && second == first && Encode(text) is [var own, ..] && own == first ? ids[1..] : ids;
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

    /// <param name="ofModel">Whether it is a model's folder that is loaded, not a file alone.</param>
    private static HfTokenizer LoadFile(string file, bool ofModel)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        var config = TokenizerConfig.Load(folder);
        var parts = !file.EndsWith(".model", StringComparison.Ordinal) ? TokenizerJson.Read(file)
            : TiktokenFile.IsOne(file) ? TiktokenFile.ReadLlama3(file, config)
            : SentencePieceFile.Read(file, config, ofModel || config.Json is not null);
        return new HfTokenizer(file, parts, config);
    }
}

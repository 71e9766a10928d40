using LlmTune.Io;

namespace LlmTune.Tokenization;

internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

internal sealed record PieceEntry(string Text, float Score, PieceType Type);

/// <summary>
/// A <c>tokenizer.model</c> of SentencePiece (https://github.com/google/sentencepiece, sentencepiece_model.proto). Alone, its own rules
/// apply: control pieces are not looked for in text. As the tokenizer of a model it does what transformers makes of it, and a
/// converted tokenizer.json: control and user-defined pieces are added tokens, cut out of the text before anything else.
/// </summary>
internal sealed record SentencePieceFile
{
    /// <summary>What stands for a space.</summary>
    public const string Space = "\u2581";

    private const int Unigram = 1;
    private const int Bpe = 2;

    public List<PieceEntry> Pieces { get; } = [];

    public int ModelType { get; private set; } = Unigram;

    public bool WhiteSpaceAsSuffix { get; private set; }

    public bool ByteFallback { get; private set; }

    public string UnknownSurface { get; private set; } = " \u2047 ";

    public bool AddDummyPrefix { get; private set; } = true;

    /// <summary>Whether the space in front belongs to the beginning of a text only, not behind added tokens too.</summary>
    public bool PrefixAtStartOnly { get; private set; }

    public bool RemoveExtraWhiteSpace { get; private set; } = true;

    public bool EscapeWhiteSpace { get; private set; } = true;

    public Charsmap? Charsmap { get; private set; }

    public int Unknown { get; private set; } = -1;

    /// <summary>Ids of <c>bos_token</c> and their like.</summary>
    private Dictionary<string, int> RoleIds { get; } = new() { ["unk_token"] = 0, ["bos_token"] = 1, ["eos_token"] = 2, ["pad_token"] = -1 };

    /// <exception cref="RequestException">Damaged, or of a kind that is not supported.</exception>
    /// <param name="ofModel">Whether it is the tokenizer of a model, not a file alone.</param>
    public static TokenizerParts Read(string path, TokenizerConfig config, bool ofModel)
    {
        var file = new SentencePieceFile();
        try
        {
            var bytes = File.ReadAllBytes(path);
            LfsPointer.Refuse(path, bytes);
            file.Parse(bytes);
        }
        catch (FormatException e)
        {
            throw new RequestException($"{path} is not a SentencePiece model: {e.Message}", e);
        }
        var roles = file.RoleIds
            .Where(role => role.Value >= 0 && role.Value < file.Pieces.Count)
            .ToDictionary(role => role.Key, role => file.Pieces[role.Value].Text);
        if (ofModel)
        {
            // As converted: behind an added token there is a space in front only where legacy asks for it, and no space is taken away.
            file.PrefixAtStartOnly = !config.Flag("legacy");
            file.RemoveExtraWhiteSpace = false;
        }
        var pieces = file.Pieces.Select((piece, id) => (Id: id, piece.Text, piece.Type)).ToList();
        SentencePieceModel model = file.ModelType == Bpe ? new SentencePieceBpe(file) : new SentencePieceUnigram(file);
        return new TokenizerParts(model)
        {
            Normalizer = new SentencePieceNormalizer(file),
            Decoder = TokenDecoder.Of((next, _) => new SentencePieceWriter(next, file)),
            PostProcessor = TemplateProcessor.Around(
                config.Flag("add_bos_token") ? Token("bos_token") : null,
                config.Flag("add_eos_token") ? Token("eos_token") : null),
            AddedTokens = ofModel
                ? AddedTokens.InText(pieces.Where(piece => piece.Type is PieceType.Control or PieceType.UserDefined or PieceType.Unknown)
                    .Select(piece => (piece.Id, piece.Text, piece.Type != PieceType.UserDefined)))
                : AddedTokens.NotInText(pieces.Where(piece => piece.Type == PieceType.Control).Select(piece => (piece.Id, piece.Text))),
            Roles = roles,
        };

        (int, string)? Token(string role)
        {
            var name = config.Token(role) ?? roles.GetValueOrDefault(role);
            return name is not null && model.Vocabulary.Id(name) is { } id ? (id, name) : null;
        }
    }

    private void Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            if (reader.Field == 1) Pieces.Add(ReadPiece(reader.Bytes));
            else if (reader.Field == 2) ReadTrainer(reader.Bytes);
            else if (reader.Field == 3) ReadNormalizer(reader.Bytes);
        }
        if (Pieces.Count == 0) throw new FormatException("it has no pieces");
        if (ModelType is not (Unigram or Bpe)) throw new FormatException($"its type is {ModelType}, but only unigram (1) and BPE (2) are supported");
        Unknown = Pieces.FindIndex(piece => piece.Type == PieceType.Unknown);
        if (Unknown < 0) throw new FormatException("it has no unknown piece");
        var twice = Pieces.GroupBy(piece => piece.Text).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null) throw new FormatException($"the piece \"{twice.Key}\" is there twice");
        var bytesThere = Pieces.Count(piece => piece.Type == PieceType.Byte);
        var bytesExpected = ByteFallback ? 256 : 0;
        if (bytesThere != bytesExpected)
        {
            throw new FormatException($"it has {bytesThere} byte pieces, expected {bytesExpected} as byte_fallback is {ByteFallback}");
        }
    }

    private static PieceEntry ReadPiece(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtoReader(bytes);
        var piece = new PieceEntry("", 0, PieceType.Normal);
        while (reader.Next())
        {
            piece = reader.Field switch
            {
                1 => piece with { Text = reader.Text },
                2 => piece with { Score = reader.Float },
                3 => piece with { Type = (PieceType)reader.Int },
                _ => piece,
            };
        }
        return piece.Text.Length > 0 ? piece : throw new FormatException("it has an empty piece");
    }

    private void ReadTrainer(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    ModelType = reader.Int;
                    break;
                case 24:
                    WhiteSpaceAsSuffix = reader.Flag;
                    break;
                case 35:
                    ByteFallback = reader.Flag;
                    break;
                case 40:
                    RoleIds["unk_token"] = reader.Int;
                    break;
                case 41:
                    RoleIds["bos_token"] = reader.Int;
                    break;
                case 42:
                    RoleIds["eos_token"] = reader.Int;
                    break;
                case 43:
                    RoleIds["pad_token"] = reader.Int;
                    break;
                case 44:
                    UnknownSurface = reader.Text;
                    break;
            }
        }
    }

    private void ReadNormalizer(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2 when reader.Bytes.Length > 0:
                    Charsmap = new Charsmap(reader.Bytes);
                    break;
                case 3:
                    AddDummyPrefix = reader.Flag;
                    break;
                case 4:
                    RemoveExtraWhiteSpace = reader.Flag;
                    break;
                case 5:
                    EscapeWhiteSpace = reader.Flag;
                    break;
            }
        }
    }
}

namespace LlmTune.Tokenization;

/// <summary>What a tokenizer is made of, whichever file it came from.</summary>
internal sealed record TokenizerParts(TokenModel Model)
{
    public TextNormalizer? Normalizer { get; init; }

    public Splitter? Splitter { get; init; }

    public PostProcessor? PostProcessor { get; init; }

    public TokenDecoder Decoder { get; init; } = TokenDecoder.None;

    public required AddedTokens AddedTokens { get; init; }

    /// <summary>What the file itself calls bos_token, eos_token and so on, where the files beside it do not.</summary>
    public IReadOnlyDictionary<string, string> Roles { get; init; } = new Dictionary<string, string>();

    public Truncation? Truncation { get; init; }

    public Padding? Padding { get; init; }
}

/// <summary>Hugging Face's tokenizer.json.</summary>
internal static class TokenizerJson
{
    public static TokenizerParts Read(string file)
    {
        var root = JsonField.Load(file).Object();
        if (root["version"] is { IsNull: false } version && version.Text() != "1.0") throw version.Error($"expected \"1.0\", found \"{version.Text()}\"");
        if (root["model"].IsNull) throw root.Error("has no model; this is not a tokenizer.json");
        var normalizer = TextNormalizer.Read(root["normalizer"]);
        var splitter = Splitter.Read(root["pre_tokenizer"]);
        Splitter[] steps = splitter is null ? [] : [.. splitter.Steps];
        var model = TokenModel.Read(root["model"], onBytes: steps is [.., ByteLevelSplitter]);
        if (model is Bpe { OnBytes: true })
        {
            var last = ((ByteLevelSplitter)steps[^1]).WithoutMapping;
            splitter = (steps.Length, last) switch
            {
                (1, _) => last,
                (2, null) => steps[0],
                (_, null) => new SplitterSequence(steps[..^1]),
                _ => new SplitterSequence([.. steps[..^1], last]),
            };
        }
        return new TokenizerParts(model)
        {
            Normalizer = normalizer,
            Splitter = splitter,
            PostProcessor = PostProcessor.Read(root["post_processor"]),
            Decoder = TokenDecoder.Read(root["decoder"]),
            AddedTokens = AddedTokens.Read(root["added_tokens"], model.Vocabulary, normalizer),
            Truncation = Truncation.Read(root["truncation"]),
            Padding = Padding.Read(root["padding"]),
        };
    }
}

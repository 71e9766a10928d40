using LlmTune.Data;
using LlmTune.Io;
using LlmTune.Tokenization;

namespace LlmTune.Recipes;

/// <summary>A model's tokenizer and chat template as the data pipeline needs them.</summary>
public static class Codecs
{
    public static Codec Of(HfTokenizer tokenizer, int vocabulary) => new()
    {
        Encode = text => tokenizer.Encode(text, addSpecialTokens: true),
        Eos = tokenizer.EosId,
        Bos = tokenizer.BosId,
        Vocabulary = vocabulary,
        Identity = Hashes.OfText(Hashes.OfFile(Path.Combine(tokenizer.Folder, "tokenizer.json"))),
    };
}

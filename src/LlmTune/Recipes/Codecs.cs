using LlmTune.Data;
using LlmTune.Io;
using LlmTune.Tokenization;

namespace LlmTune.Recipes;

/// <summary>A model's tokenizer and chat template as the data pipeline needs them.</summary>
public static class Codecs
{
    private static readonly string[] Files = ["tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"];

    /// <param name="template">Null where the model has none: conversations are then refused.</param>
    /// <param name="vocabulary">How many ids the model knows.</param>
    public static Codec Of(HfTokenizer tokenizer, ChatTemplate? template, int vocabulary) => new()
    {
        Encode = text => tokenizer.Encode(text, addSpecialTokens: true),
        Render = template is null ? null : conversation => Render(template, tokenizer, conversation),
        Eos = tokenizer.EosId,
        Bos = tokenizer.BosId,
        Vocabulary = vocabulary,
        Identity = Identity(tokenizer, template),
    };

    private static (int[] Ids, IReadOnlyList<Data.TurnTokens> Turns) Render(ChatTemplate template, HfTokenizer tokenizer, Conversation conversation)
    {
        var rendered = template.ForTraining(conversation, tokenizer);
        return (rendered.Ids, [.. rendered.Turns.Select(turn => new Data.TurnTokens(turn.Message, turn.Start, turn.End))]);
    }

    /// <summary>Changes with everything that changes ids.</summary>
    private static string Identity(HfTokenizer tokenizer, ChatTemplate? template)
    {
        var files = Files.Select(name => Path.Combine(tokenizer.Folder, name)).Where(File.Exists).Select(Hashes.OfFile);
        return Hashes.OfText(string.Join('\n', [.. files, template?.Source ?? ""]));
    }
}

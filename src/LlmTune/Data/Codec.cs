using LlmTune.Data.Formats;
using LlmTune.Io;
using LlmTune.Tokenization;

namespace LlmTune.Data;

/// <summary>What the pipeline needs of a tokenizer and a chat template. Every function may be called from several threads.</summary>
public sealed record Codec
{
    /// <summary>A text as ids, with what the tokenizer's post-processor adds (BOS, sometimes EOS).</summary>
    public required Func<string, int[]> Encode { get; init; }

    /// <summary>A conversation as ids with the bounds of its turns; null where the model has no chat template.</summary>
    public Func<Conversation, RenderedConversation>? Render { get; init; }

    /// <summary>The ids that the model sees at inference before it answers a conversation; null where it has no chat template.</summary>
    public Func<Conversation, int[]>? Prompt { get; init; }

    /// <summary>Whether the chat template may read a key of a message.</summary>
    public Func<string, bool> Reads { get; init; } = _ => true;

    public int? Eos { get; init; }

    public int? Bos { get; init; }

    /// <summary>Ids of special and added tokens, with which templates end turns.</summary>
    public IReadOnlySet<int> Markers { get; init; } = new HashSet<int>();

    /// <summary>Number of ids that the model knows.</summary>
    public int Vocabulary { get; init; } = int.MaxValue;

    /// <summary>A token's text by its id; null where no token has it.</summary>
    public Func<int, string?> TokenOf { get; init; } = _ => null;

    /// <summary>Changes with everything that changes ids: tokenizer and template.</summary>
    public string Identity { get; init; } = "";

    /// <param name="template">The model's chat template; null where it has none, which only strings can do without.</param>
    /// <param name="vocabulary">Number of ids that the model knows.</param>
    public static Codec Of(HfTokenizer tokenizer, ChatTemplate? template = null, int vocabulary = int.MaxValue) => new()
    {
        Encode = tokenizer.EncodeForModel,
        Render = template is null ? null : conversation => Rendered(() => template.ForTraining(conversation, tokenizer)),
        Prompt = template is null ? null : conversation => Rendered(() => template.ForInference(conversation, tokenizer)),
        Reads = template is null ? _ => true : template.Mentions,
        Eos = tokenizer.EosId,
        Bos = tokenizer.BosId,
        Markers = tokenizer.AddedTokens.Select(token => token.Id).ToHashSet(),
        Vocabulary = vocabulary,
        TokenOf = tokenizer.Token,
        Identity = IdentityOf(tokenizer, template),
    };

    private static string IdentityOf(HfTokenizer tokenizer, ChatTemplate? template)
    {
        var file = Hashes.OfFile(tokenizer.SourceFile);
        return Hashes.OfText(string.Join('\n', [file, $"{tokenizer.Config}", $"{tokenizer.BosId} {tokenizer.EosId}", template?.Identity, .. tokenizer.AddedTokens.Select(token => $"{token}")]));
    }

    /// <summary>What a template refuses is a problem of that row.</summary>
    private static T Rendered<T>(Func<T> render)
    {
        try
        {
            return render();
        }
        catch (RequestException e)
        {
            throw new RowException(e.Message);
        }
    }
}

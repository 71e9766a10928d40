using LlmTune.Data;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Data;

/// <summary>Codecs whose ids can be read: one id a UTF-16 unit, and marks above them.</summary>
internal static class Codecs
{
    public const int Bos = 70_000;
    public const int Eos = 70_001;
    public const int Begin = 70_002;
    public const int End = 70_003;

    /// <summary>Characters; EOS is appended by the pipeline; conversations as BEGIN role newline content END newline.</summary>
    public static Codec Characters { get; } = new()
    {
        Encode = Ids,
        Render = Chat,
        Prompt = conversation => [.. Chat(conversation).Ids, Begin, .. Ids("assistant\n")],
        Eos = Eos,
        Identity = "characters",
    };

    /// <summary>The same with a tokenizer that puts BOS before a text.</summary>
    public static Codec WithBos { get; } = Characters with { Encode = text => [Bos, .. Ids(text)], Bos = Bos, Identity = "characters with BOS" };

    public static int[] Ids(string text) => [.. text.Select(c => (int)c)];

    /// <summary>Ids as text, marks as characters that stand out.</summary>
    public static string Show(IEnumerable<int> ids) => string.Concat(ids.Select(id => id switch
    {
        Bos => "‹s›",
        Eos => "‹/s›",
        Begin => "‹",
        End => "›",
        _ => ((char)id).ToString(),
    }));

    /// <summary>A prompt and its judged answers, apart.</summary>
    public static string Show(Tokens judged)
    {
        List<string> parts = [Show(judged.Ids.Take(judged.Prompt))];
        var from = judged.Prompt;
        foreach (var length in judged.Answers)
        {
            parts.Add(Show(judged.Ids.Skip(from).Take(length)));
            from += length;
        }
        return string.Join('|', parts);
    }

    /// <summary>What of a document is trained on, the rest as dots.</summary>
    public static string ShowTrained(int[] ids, bool[] trained) => string.Concat(ids.Zip(trained, (id, t) => t ? Show([id]) : "."));

    private static RenderedConversation Chat(Conversation conversation)
    {
        List<int> ids = [];
        List<TurnSpan> turns = [];
        for (var m = 0; m < conversation.Messages.Count; m++)
        {
            var message = conversation.Messages[m];
            ids.AddRange([Begin, .. Ids(message.Role), '\n']);
            var start = ids.Count;
            ids.AddRange([.. Ids(message.Content ?? message.Fields?.ToJsonString() ?? ""), End]);
            turns.Add(new TurnSpan(m, message.Role, start, ids.Count));
            ids.Add('\n');
        }
        return new RenderedConversation([.. ids], turns);
    }
}

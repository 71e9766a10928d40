namespace LlmTune.Tokenization;

/// <summary>The token that a chat template closes an answer with.</summary>
internal static class EndOfTurn
{
    private static readonly Conversation Probe = new([new Message("user", "Who are you?"), new Message("assistant", "A model.")]);

    /// <summary>The special token behind an answer; null where the template closes answers without one, or refuses a question and its answer.</summary>
    public static int? Of(ChatTemplate template, HfTokenizer tokenizer)
    {
        try
        {
            var rendered = AuditRow.Of(template.ForTraining(Probe, tokenizer));
            return rendered.EndsOfTurns is [.., var end] ? TokenAudit.EndToken(tokenizer, rendered, end) : null;
        }
        catch (RequestException)
        {
            return null;
        }
    }
}

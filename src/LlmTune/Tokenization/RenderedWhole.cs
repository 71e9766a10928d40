using LlmTune.Tokenization.Templates;

namespace LlmTune.Tokenization;

/// <summary>
/// A rendered conversation and its beginnings: what the template makes of the first messages alone, with or without the prompt for the next
/// turn. A beginning is rendered only where one rendering of the whole does not tell (see <see cref="Trace"/>).
/// </summary>
internal sealed class RenderedWhole
{
    private readonly ConversationValues _values;
    private readonly Trace? _trace;
    private readonly bool _isPrompt;

    /// <param name="traced">False has every beginning rendered: slow, and the same.</param>
    public RenderedWhole(ChatTemplate template, Conversation conversation, bool addGenerationPrompt, bool traced = true)
    {
        (Template, Conversation, _isPrompt, _values) = (template, conversation, addGenerationPrompt, template.Values(conversation));
        _trace = traced ? new Trace() : null;
        Rendered = template.Render(_values, conversation.Messages.Count, addGenerationPrompt, _trace);
    }

    public ChatTemplate Template { get; }

    public Conversation Conversation { get; }

    public Rendered Rendered { get; }

    public string Text => Rendered.Text;

    public bool MarksGeneration => Template.TemplateOf(_values).HasGeneration;

    /// <summary>How many beginnings had to be rendered.</summary>
    public int Renderings { get; private set; }

    /// <summary>Length of the prompt before a message, if the text begins with it; −1 if it does not, or the template refuses the prompt.</summary>
    public int PromptLength(int message)
    {
        if (_trace is { PromptEnd: { } end } && _trace.Shared(message) is { } shared)
            return Text.AsSpan(shared).StartsWith(end, StringComparison.Ordinal) ? shared + end.Length : -1;
        return Beginning(message, addGenerationPrompt: true) is { } prompt && Text.StartsWith(prompt, StringComparison.Ordinal) ? prompt.Length : -1;
    }

    /// <summary>What the first so many messages give; null where the template refuses them.</summary>
    public string? Beginning(int messages, bool addGenerationPrompt)
    {
        var known = addGenerationPrompt ? _trace?.PromptEnd : _isPrompt ? null : _trace?.End;
        if (known is not null && _trace!.Shared(messages) is { } shared) return string.Concat(Text.AsSpan(0, shared), known);
        try
        {
            Renderings++;
            return Template.Render(_values, messages, addGenerationPrompt).Text;
        }
        catch (TemplateException)
        {
            return null;
        }
    }

    /// <summary>What the conversation gives without some of its messages; null where the template refuses that.</summary>
    public string? Without(int first, int count) => Other([.. _values.Messages[..first], .. _values.Messages[(first + count)..]]);

    /// <summary>What the conversation gives where it goes on; null where the template refuses that.</summary>
    public string? With(Message next) => Other([.. _values.Messages, .. Template.Values(new Conversation([next])).Messages]);

    private string? Other(object?[] messages)
    {
        try
        {
            Renderings++;
            return Template.Render(_values with { Messages = messages }, messages.Length, _isPrompt).Text;
        }
        catch (TemplateException)
        {
            return null;
        }
    }
}

using System.Text.Json.Nodes;
using LlmTune.Tokenization.Templates;

namespace LlmTune.Tokenization;

/// <summary>
/// What makes text of a conversation: the model's own Jinja template, one that the run names, or ChatML where the model has none but its
/// vocabulary has the marks for it. Thread safe.
/// </summary>
public sealed class ChatTemplate
{
    private static readonly string[] TokenRoles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly Template _plain;
    private readonly Template _withTools;
    private readonly KeyValuePair<string, object?>[] _tokens;
    private readonly string _sources;
    private readonly CallForms _forms;
    private readonly CallForms _formsWithTools;
    private readonly LeftOut _leftOut;

    internal ChatTemplate(string source, string origin, HfTokenizer tokenizer, (string Source, string Origin)? withTools = null)
    {
        (Source, Origin) = (source, origin);
        _plain = Template.Parse(source, origin);
        _withTools = withTools is { } other ? Template.Parse(other.Source, other.Origin) : _plain;
        _tokens = [.. SpecialTokens(tokenizer)];
        _sources = $"{source}\n{withTools?.Source}";
        _forms = new CallForms(Probe, tools: false);
        _formsWithTools = new CallForms(Probe, tools: true);
        _leftOut = new LeftOut(this);

        string Probe(ConversationValues values) => Render(values, values.Messages.Length, addGenerationPrompt: false).Text;
    }

    /// <summary>The template as written, to be saved beside what is trained.</summary>
    public string Source { get; }

    /// <summary>Where it comes from: a file, an entry of tokenizer_config.json, the run's settings, or "built-in ChatML".</summary>
    public string Origin { get; }

    /// <summary>Whether the template itself says what the model writes, by <c>{% generation %}</c>.</summary>
    public bool MarksGeneration => _plain.HasGeneration && _withTools.HasGeneration;

    /// <summary>The clock of strftime_now: a template may write the date into the prompt.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Further variables that the template sees, such as enable_thinking.</summary>
    public JsonObject Variables { get; init; } = [];

    public TemplateLimits Limits { get; init; } = TemplateLimits.Default;

    /// <summary>Changes with everything that changes what is rendered: the templates, their variables, and the date where they write it.</summary>
    internal string Identity =>
        $"{_sources}\n{Variables.ToJsonString()}\n{(_sources.Contains("strftime_now", StringComparison.Ordinal) ? $"{Clock.GetLocalNow():yyyy-MM-dd}" : "")}";

    /// <summary>Whether a word stands in the template.</summary>
    internal bool Mentions(string word)
    {
        static bool IsPart(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';
        for (var at = _sources.IndexOf(word, StringComparison.Ordinal); at >= 0; at = _sources.IndexOf(word, at + 1, StringComparison.Ordinal))
        {
            var end = at + word.Length;
            if ((at == 0 || !IsPart(_sources[at - 1])) && (end == _sources.Length || !IsPart(_sources[end]))) return true;
        }
        return false;
    }

    /// <param name="folder">The model's folder.</param>
    /// <param name="setting">model.chat_template of the run file: a file, a name among the model's, or a text; null for the model's own.</param>
    /// <param name="variables">Further variables that the template sees.</param>
    /// <returns>Null if nothing is set, the model has no template, and its vocabulary does not have ChatML's marks.</returns>
    /// <exception cref="RequestException">The setting names nothing, or what is found is not a template.</exception>
    public static ChatTemplate? For(HfTokenizer tokenizer, string folder, string? setting = null, JsonObject? variables = null) =>
        TemplateSources.Find(tokenizer, folder, setting) is var (source, origin, withTools)
            ? new ChatTemplate(source, origin, tokenizer, withTools) { Variables = variables ?? [] } : null;

    /// <summary>As <see cref="For"/>, where a template is needed.</summary>
    /// <exception cref="RequestException">There is none.</exception>
    public static ChatTemplate Require(HfTokenizer tokenizer, string folder, string? setting = null, JsonObject? variables = null) =>
        For(tokenizer, folder, setting, variables) ?? throw new RequestException(
            $"{folder} has no chat template (no chat_template.jinja, no chat_template in tokenizer_config.json, no <|im_start|> and "
            + "<|im_end|> in the vocabulary for ChatML), but the data are conversations; set model.chat_template to a Jinja file or its "
            + "text, or use data without turns (prompt/completion, text)");

    /// <param name="addGenerationPrompt">Whether the text ends where the model's next turn begins.</param>
    /// <exception cref="TemplateException">The template refuses the conversation, or fails on it.</exception>
    public Rendered Render(Conversation conversation, bool addGenerationPrompt) =>
        Render(Values(conversation), conversation.Messages.Count, addGenerationPrompt);

    /// <summary>The ids of a conversation with the tokens that belong to each turn; nothing is added to what the template writes.</summary>
    /// <exception cref="RequestException">The template refuses the conversation, or what belongs to a turn cannot be told.</exception>
    public RenderedConversation ForTraining(Conversation conversation, HfTokenizer tokenizer) =>
        ForTraining(new RenderedWhole(this, conversation, addGenerationPrompt: false), tokenizer) with
        {
            LeftOut = _leftOut.Of(conversation),
            HasBrokenArguments = conversation.Messages.Any(MessageValues.HasBrokenArguments),
        };

    internal static RenderedConversation ForTraining(RenderedWhole whole, HfTokenizer tokenizer)
    {
        var turns = Turns.Find(whole, out var opening);
        var tokens = new TurnTokens(tokenizer, whole.Text, turns.Where(t => t.Prompt >= 0).Select(t => t.Prompt));
        return tokens.Of(turns, opening) with { Parts = [.. ContentPlaces.Find(whole, turns).Select(tokens.Of)] };
    }

    /// <summary>The ids of a prompt: the conversation, and where the model's next turn begins. They are the same as in training.</summary>
    public int[] ForInference(Conversation conversation, HfTokenizer tokenizer)
    {
        var whole = new RenderedWhole(this, conversation, addGenerationPrompt: true);
        return new TurnTokens(tokenizer, whole.Text, Turns.Prompts(whole)).Ids;
    }

    /// <summary>A conversation as the template sees it, its messages numbered so that what is written of each is known.</summary>
    internal ConversationValues Values(Conversation conversation)
    {
        var (hasTools, forms) = (conversation.Tools is { Count: > 0 }, FormsFor(conversation));
        return new ConversationValues(
            [.. conversation.Messages.Select((message, i) => (object?)MessageValues.Of(message, i, forms))],
            hasTools ? PyJson.Read(conversation.Tools) : null)
        {
            Variables = conversation.Variables,
        };
    }

    /// <summary>The form in which the calls of a conversation reach the template, in words; null where it has none.</summary>
    internal string? FormOfCalls(Conversation conversation) =>
        conversation.Messages.FirstOrDefault(MessageValues.HasCalls) is { } turn ? FormsFor(conversation).Of(turn.Content).Describe(turn.Content) : null;

    private CallForms FormsFor(Conversation conversation) => conversation.Tools is { Count: > 0 } ? _formsWithTools : _forms;

    /// <summary>The first so many messages alone.</summary>
    /// <param name="trace">Learns what shorter beginnings would give.</param>
    internal Rendered Render(ConversationValues values, int count, bool addGenerationPrompt, Trace? trace = null)
    {
        var messages = values.Messages.AsSpan(0, count).ToArray();
        return TemplateOf(values).RenderValues(
            [
                .. _tokens,
                new("messages", trace is null ? new List<object?>(messages) : new Transcript(messages)),
                new("tools", values.Tools),
                new("documents", null),
                new(Trace.PromptFlag, addGenerationPrompt),
                .. Variables.Concat(values.Variables ?? []).Select(v => KeyValuePair.Create(v.Key, PyJson.Read(v.Value))),
            ],
            Clock,
            Limits,
            trace);
    }

    internal Template TemplateOf(ConversationValues values) => values.Tools is null ? _plain : _withTools;

    /// <summary>The tokens with a role that the tokenizer names; the others are undefined in the template.</summary>
    private static IEnumerable<KeyValuePair<string, object?>> SpecialTokens(HfTokenizer tokenizer)
    {
        foreach (var role in TokenRoles)
        {
            var id = role switch
            {
                "bos_token" => tokenizer.BosId,
                "eos_token" => tokenizer.EosId,
                "unk_token" => tokenizer.UnkId,
                "pad_token" => tokenizer.PadId,
                _ => null,
            };
            if ((tokenizer.RoleToken(role) ?? (id is { } known ? tokenizer.Token(known) : null)) is { } token) yield return new(role, token);
        }
    }
}

/// <summary>Messages and tools as a template sees them.</summary>
internal sealed record ConversationValues(object?[] Messages, object? Tools)
{
    /// <summary>Further variables of this conversation.</summary>
    public JsonObject? Variables { get; init; }
}

/// <summary>A conversation as ids.</summary>
/// <param name="Turns">
/// Every message's tokens, in order. A turn in several pieces (a template may mark several) has several entries; an assistant's turn of which
/// the template marks nothing has an empty one.
/// </param>
public sealed record RenderedConversation(int[] Ids, IReadOnlyList<TurnSpan> Turns)
{
    /// <summary>Parts of the conversation that the template does not write, by the names that messages have for them.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    /// <summary>Whether a call's arguments are a text that is no JSON object.</summary>
    public bool HasBrokenArguments { get; init; }

    /// <summary>So many tokens at the end open the model's next turn, in templates that do so asked or not; they belong to no turn.</summary>
    public int Opening { get; init; }

    /// <summary>The tokens of contents that count otherwise than their turn (see <see cref="Message.Parts"/>).</summary>
    public IReadOnlyList<PartSpan> Parts { get; init; } = [];
}

/// <summary>The tokens [Start, End) of a stretch of a message's content.</summary>
/// <param name="Weight">What the loss of each is multiplied by; 0 is not trained on.</param>
public readonly record struct PartSpan(int Message, int Start, int End, float Weight);

/// <summary>
/// The tokens [Start, End) that a turn itself generates: of an assistant what the model must produce, with the end of the turn but without the
/// prompt before it; of others the whole turn.
/// </summary>
/// <param name="Message">Its number in the conversation, from 0.</param>
public sealed record TurnSpan(int Message, string Role, int Start, int End)
{
    /// <summary>
    /// Whether the ids begin with those that the model will see at inference before this assistant's turn. Not so where a template renders a
    /// turn differently once others follow it (thinking that is dropped), or asks for something that full conversations do not have.
    /// </summary>
    public bool PromptIsExact { get; init; } = true;
}

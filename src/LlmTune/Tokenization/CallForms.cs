using LlmTune.Tokenization.Templates;

namespace LlmTune.Tokenization;

/// <summary>
/// The forms in which a template takes calls of tools and their results. No form suits all templates: some ask whether the content is null,
/// some write the word None for it; some write arguments by tojson, some add them to a text. A short conversation with words that stand
/// nowhere else is rendered in one form after the other, and the first that writes the call and its result as they should be is taken.
/// </summary>
internal sealed class CallForms
{
    private const string Question = "zqquestion", Function = "zqfunction", Key = "zqkey", Value = "zqvalue", Result = "zqresult", Answer = "zqanswer";

    /// <summary>Nine letters and digits, which Mistral's templates insist on.</summary>
    private const string Id = "zqcall001";

    private readonly Lazy<CallForm> _absent, _empty, _text;
    private readonly Lazy<bool> _objects, _lists;

    /// <param name="render">What the template makes of a conversation; a <see cref="TemplateException"/> where it refuses it.</param>
    /// <param name="tools">Whether the conversations have tools: templates may take another course with them.</param>
    public CallForms(Func<ConversationValues, string> render, bool tools)
    {
        _absent = new(() => First(render, tools, null, [NoContent.LeftOut, NoContent.Null, NoContent.Empty]));
        _empty = new(() => First(render, tools, null, [NoContent.Empty, NoContent.LeftOut, NoContent.Null]));
        _text = new(() => First(render, tools, "zqtext", [NoContent.LeftOut]));
        bool Takes(object result) => Properly(render, tools, _empty.Value, null, result).HasFlag(Written.Result);
        _objects = new(() => Takes(PyDict.Of([(Key, Result)])));
        _lists = new(() => Takes(new List<object?> { PyDict.Of([(Key, Result)]) }));
    }

    /// <summary>The form of a turn's calls.</summary>
    /// <param name="content">The turn's text; null and "" are tried as they stand before they are changed.</param>
    public CallForm Of(string? content) => content switch { null => _absent.Value, "" => _empty.Value, _ => _text.Value };

    /// <summary>Whether a result that is an object, or a list, is given to the template as that; else as JSON text.</summary>
    public bool TakesResult(bool isList) => (isList ? _lists : _objects).Value;

    [Flags]
    private enum Written
    {
        Nothing = 0,
        Result = 1,
        Call = 2,
    }

    /// <summary>The first form that writes call and result, else the first that writes the call, else the row's own.</summary>
    private static CallForm First(Func<ConversationValues, string> render, bool tools, string? text, NoContent[] contents)
    {
        var (best, form) = (Written.Nothing, CallForm.AsGiven with { Content = contents[0] });
        foreach (var content in contents)
        {
            foreach (var asText in (bool[])[false, true])
            {
                var tried = new CallForm(content, asText);
                var written = Properly(render, tools, tried, text, Result);
                if (written.HasFlag(Written.Call) && written > best) (best, form) = (written, tried);
                if (best == (Written.Call | Written.Result)) return form;
            }
        }
        return form;
    }

    /// <summary>What of the call and its result the template writes as it should be: without the word None, without marks of HTML, and JSON neither in quotes nor as Python prints it.</summary>
    private static Written Properly(Func<ConversationValues, string> render, bool tools, CallForm form, string? text, object result)
    {
        string whole;
        try
        {
            whole = render(Conversation(form, text, result, tools));
        }
        catch (TemplateException)
        {
            return Written.Nothing;
        }
        var turns = whole[Math.Max(0, whole.LastIndexOf(Question, StringComparison.Ordinal))..];
        string[] faults = ["None", "&#34;", "&#39;", "&quot;", "&lt;", "&gt;", $"\\\"{Key}", $"'{Key}'"];
        if (Array.Exists(faults, fault => turns.Contains(fault, StringComparison.Ordinal))) return Written.Nothing;
        bool Has(string word) => turns.Contains(word, StringComparison.Ordinal);
        return (Has(Function) && Has(Key) && Has(Value) ? Written.Call : Written.Nothing) | (Has(Result) ? Written.Result : Written.Nothing);
    }

    private static ConversationValues Conversation(CallForm form, string? text, object result, bool tools)
    {
        var arguments = PyDict.Of([(Key, Value)]);
        var call = PyDict.Of([("name", Function), ("arguments", form.TextArguments == true ? PyJson.Write(arguments) : arguments)]);
        var turn = PyDict.Of([("role", Turns.Assistant)]);
        if (text is not null) turn.Set("content", text);
        else if (form.Content != NoContent.LeftOut) turn.Set("content", form.Content == NoContent.Null ? null : "");
        turn.Set("tool_calls", new List<object?> { PyDict.Of([("id", Id), ("type", "function"), ("function", call)]) });
        var parameters = PyDict.Of(
        [
            ("type", "object"),
            ("properties", PyDict.Of([(Key, PyDict.Of([("type", "string"), ("description", "")]))])),
            ("required", new List<object?> { Key }),
        ]);
        var function = PyDict.Of([("name", Function), ("description", ""), ("parameters", parameters)]);
        return new ConversationValues(
            [
                PyDict.Of([("role", "user"), ("content", Question)]),
                turn,
                PyDict.Of([("role", "tool"), ("tool_call_id", Id), ("name", Function), ("content", result)]),
                PyDict.Of([("role", Turns.Assistant), ("content", Answer)]),
            ],
            tools ? new List<object?> { PyDict.Of([("type", "function"), ("function", function)]) } : null);
    }
}

namespace LlmTune.Tokenization.Templates;

/// <summary>Calls and their arguments, filters and tests.</summary>
internal sealed partial class Parser
{
    private Call ParseCall(Expression function)
    {
        var line = Current.Line;
        return new Call(function, ParseArguments(), line);
    }

    private ArgumentList ParseArguments()
    {
        var line = Current.Line;
        ExpectOperator("(");
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        Expression? spread = null, spreadNamed = null;
        for (var first = true; !IsOperator(")"); first = false)
        {
            if (!first) ExpectOperator(",");
            if (IsOperator(")")) break;
            if (IsOperator("*") && spread is null && spreadNamed is null)
            {
                Advance();
                spread = ParseExpression();
            }
            else if (IsOperator("**") && spreadNamed is null)
            {
                Advance();
                spreadNamed = ParseExpression();
            }
            else if (Current.Kind == TokenKind.Name && Following is { Kind: TokenKind.Operator, Value: "=" } && spreadNamed is null)
            {
                var key = Advance().Value;
                Advance();
                if (named.Exists(n => n.Item1 == key)) throw Fail($"keyword argument repeated: {key}", line);
                named.Add((key, ParseExpression()));
            }
            else if (spread is null && spreadNamed is null && named.Count == 0 && !IsOperator("*"))
            {
                positional.Add(ParseExpression());
            }
            else
            {
                throw Fail("invalid syntax for function call expression", line);
            }
        }
        ExpectOperator(")");
        return new ArgumentList([.. positional], [.. named], spread, spreadNamed);
    }

    private Expression ParseFilterOrTest(Expression value)
    {
        while (true)
        {
            if (IsOperator("|")) value = ParseFilters(value);
            else if (IsName("is")) value = ParseTest(value);
            else if (IsOperator("(")) value = ParseCall(value);
            else return value;
        }
    }

    /// <summary>A chain of filters on a value; <paramref name="inline"/>: the first has no bar before it (<c>{% filter upper %}</c>).</summary>
    private Expression ParseFilters(Expression value, bool inline = false)
    {
        while (inline || IsOperator("|"))
        {
            if (!inline) Advance();
            inline = false;
            var line = Current.Line;
            var filter = ParseDottedName();
            var arguments = IsOperator("(") ? ParseArguments() : ArgumentList.Empty;
            if (!Filters.Table.TryGetValue(filter, out var function)) Unknown("filter", filter, line);
            value = new Filter(value, filter, function, arguments, line);
        }
        return value;
    }

    private Expression ParseTest(Expression value)
    {
        var line = Advance().Line;
        var negated = TryName("not");
        var test = ParseDottedName();
        var arguments = ArgumentList.Empty;
        if (IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (Current.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float || IsOperator("[") || IsOperator("{"))
        {
            if (IsName("is")) throw Fail("You cannot chain multiple tests with is", Current.Line);
            if (!IsName("else") && !IsName("or") && !IsName("and")) arguments = new ArgumentList([ParsePostfix(ParsePrimary())], [], null, null);
        }
        if (!Tests.Table.TryGetValue(test, out var function)) Unknown("test", test, line);
        Expression result = new Test(value, test, function, arguments, line);
        return negated ? new Not(result, line) : result;
    }

    private string ParseDottedName()
    {
        var dotted = ExpectKind(TokenKind.Name, "name").Value;
        while (TryOperator(".")) dotted += "." + ExpectKind(TokenKind.Name, "name").Value;
        return dotted;
    }

    /// <summary>An unknown filter or test is an error at once, but under a condition only when it is reached.</summary>
    private void Unknown(string kind, string function, int line)
    {
        if (!_conditional) _unknown.Add(($"No {kind} named '{function}'.", line));
    }
}

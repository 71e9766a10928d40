using System.Runtime.CompilerServices;

namespace LlmTune.Tokenization.Templates;

/// <summary>Tokens to a tree, by Jinja's grammar and with its error messages. Statements are here, expressions in the other part.</summary>
internal sealed partial class Parser(List<Token> tokens, string name)
{
    /// <summary>Macro bodies around the place with the names that each reads: varargs, kwargs and caller exist only where they are read.</summary>
    private readonly Stack<HashSet<string>> _macros = new();
    private readonly HashSet<string> _blocks = [];
    private readonly List<string> _openTags = [];
    private readonly List<string[]> _awaited = [];
    private readonly List<(string Problem, int Line)> _unknown = [];
    private int _next;
    private int _loops;
    private bool _conditional;

    /// <summary>Whether there was a <c>{% generation %}</c>.</summary>
    public bool SawGeneration { get; private set; }

    private Token Current
    {
        get
        {
            var token = tokens[_next];
            return token.Kind == TokenKind.Fault ? throw new TemplateException(name, token.Line, token.Value) : token;
        }
    }

    private Token Following => _next + 1 < tokens.Count ? tokens[_next + 1] : tokens[_next];

    public Block ParseTemplate()
    {
        var root = ParseBody([]);
        if (_unknown.Count > 0) throw new TemplateException(name, _unknown[0].Line, _unknown[0].Problem);
        return root;
    }

    /// <summary>Statements up to a tag that begins with one of the names; that tag's name is then the current token.</summary>
    private Block ParseBody(string[] ends)
    {
        var statements = new List<Statement>();
        if (ends.Length > 0) _awaited.Add(ends);
        while (Current.Kind != TokenKind.End)
        {
            var token = Advance();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    statements.Add(new Data(token.Value, token.Line));
                    break;
                case TokenKind.PrintBegin:
                    statements.Add(new Print(ParseTuple(), token.Line));
                    Expect(TokenKind.PrintEnd);
                    break;
                case TokenKind.TagBegin:
                    if (Current.Kind == TokenKind.Name && ends.Contains(Current.Value))
                    {
                        _awaited.RemoveAt(_awaited.Count - 1);
                        return new Block([.. statements]);
                    }
                    statements.Add(ParseStatement());
                    Expect(TokenKind.TagEnd);
                    break;
                default: throw Fail($"unexpected '{token.Description}'", token.Line);
            }
        }
        if (ends.Length > 0) throw FailAtEnd(null, Current.Line);
        return new Block([.. statements]);
    }

    /// <summary>The end of a tag and the statements after it.</summary>
    private Block ParseTagBody(params string[] ends)
    {
        if (IsOperator(":")) Advance();
        Expect(TokenKind.TagEnd);
        return ParseBody(ends);
    }

    /// <summary>Statements with variables of their own, up to the one tag that closes them.</summary>
    private Block ParseScope(string end, bool function = false)
    {
        var (conditional, loops) = (_conditional, _loops);
        _conditional = false;
        if (function) _loops = 0;
        var body = ParseTagBody(end);
        Advance();
        (_conditional, _loops) = (conditional, loops);
        return body;
    }

    private Statement ParseStatement()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw Fail("the template nests too deeply", Current.Line);
        if (Current.Kind != TokenKind.Name) throw Fail("tag name expected", Current.Line);
        var tag = Advance();
        _openTags.Add(tag.Value);
        Statement? statement = tag.Value switch
        {
            "if" => ParseIf(tag.Line),
            "for" => ParseFor(tag.Line),
            "set" => ParseSet(tag.Line),
            "macro" => ParseMacro(tag.Line),
            "call" => ParseCallBlock(tag.Line),
            "filter" => new FilterBlock(ParseFilters(new Pending(tag.Line), inline: true), ParseScope("endfilter"), tag.Line),
            "with" => ParseWith(tag.Line),
            "print" => ParsePrint(tag.Line),
            "generation" => ParseGeneration(tag.Line),
            "block" => ParseBlock(tag.Line),
            "break" or "continue" => ParseJump(tag),
            "include" or "import" or "from" or "extends" => ParseLoader(tag.Line),
            "autoescape" => throw Fail("{% autoescape %} is not supported: chat templates are not HTML", tag.Line),
            _ => null,
        };
        _openTags.RemoveAt(_openTags.Count - 1);
        return statement ?? throw FailAtEnd(tag.Value, tag.Line);
    }

    private If ParseIf(int line)
    {
        var branches = new List<(Expression, Block)>();
        Block? otherwise = null;
        var conditional = _conditional;
        _conditional = true;
        while (true)
        {
            var test = ParseTuple(conditions: false);
            branches.Add((test, ParseTagBody("elif", "else", "endif")));
            var next = Advance().Value;
            if (next == "elif") continue;
            if (next == "else")
            {
                otherwise = ParseTagBody("endif");
                Advance();
            }
            break;
        }
        _conditional = conditional;
        return new If([.. branches], otherwise, line);
    }

    private For ParseFor(int line)
    {
        var target = ParseTarget(end: "in");
        ExpectName("in");
        var items = ParseTuple(conditions: false, end: "recursive");
        var conditional = _conditional;
        _conditional = false;
        var filter = TryName("if") ? ParseExpression() : null;
        var recursive = TryName("recursive");
        _loops++;
        var body = ParseTagBody("endfor", "else");
        _loops--;
        Block? otherwise = null;
        if (Advance().Value == "else")
        {
            otherwise = ParseTagBody("endfor");
            Advance();
        }
        _conditional = conditional;
        return new For(target, items, filter, recursive, body, otherwise, line);
    }

    private Statement ParseSet(int line)
    {
        var target = ParseTarget(attributes: true);
        if (TryOperator("=")) return new Set(target, ParseTuple(), line);
        var pending = new Pending(line);
        var filter = ParseFilters(pending);
        return new SetBlock(target, filter, ParseScope("endset"), line);
    }

    private Macro ParseMacro(int line)
    {
        var macro = ExpectKind(TokenKind.Name, "name").Value;
        return new Macro(ParseFunction(macro, ParseParameters(), "endmacro"), line);
    }

    private CallBlock ParseCallBlock(int line)
    {
        var parameters = IsOperator("(") ? ParseParameters() : [];
        var call = ParseExpression() as Call ?? throw Fail("expected call", line);
        return new CallBlock(call, ParseFunction("caller", parameters, "endcall"), line);
    }

    private MacroBody ParseFunction(string macro, List<Parameter> parameters, string end)
    {
        _macros.Push([]);
        var body = ParseScope(end, function: true);
        var reads = _macros.Pop();
        return new MacroBody(macro, [.. parameters], body, reads.Contains("varargs"), reads.Contains("kwargs"), reads.Contains("caller"));
    }

    private List<Parameter> ParseParameters()
    {
        var parameters = new List<Parameter>();
        ExpectOperator("(");
        while (!IsOperator(")"))
        {
            if (parameters.Count > 0) ExpectOperator(",");
            var parameter = ExpectKind(TokenKind.Name, "name");
            CheckAssignable(parameter);
            var value = TryOperator("=") ? ParseExpression() : null;
            if (value is null && parameters.Count > 0 && parameters[^1].Default is not null)
                throw Fail("non-default argument follows default argument", Current.Line);
            parameters.Add(new Parameter(parameter.Value, value));
        }
        ExpectOperator(")");
        return parameters;
    }

    private With ParseWith(int line)
    {
        var values = new List<(Target, Expression)>();
        while (Current.Kind != TokenKind.TagEnd)
        {
            if (values.Count > 0) ExpectOperator(",");
            var target = ParseTarget();
            ExpectOperator("=");
            values.Add((target, ParseExpression()));
        }
        return new With([.. values], ParseScope("endwith"), line);
    }

    private Block ParsePrint(int line)
    {
        var values = new List<Statement>();
        while (Current.Kind != TokenKind.TagEnd)
        {
            if (values.Count > 0) ExpectOperator(",");
            values.Add(new Print(ParseExpression(), line));
        }
        return new Block([.. values]);
    }

    private Generation ParseGeneration(int line)
    {
        SawGeneration = true;
        return new Generation(ParseScope("endgeneration", function: true), line);
    }

    /// <summary>A named block is there to be replaced by a template that extends this one; alone it stands for its body.</summary>
    private NamedBlock ParseBlock(int line)
    {
        var block = ExpectKind(TokenKind.Name, "name").Value;
        if (!_blocks.Add(block)) throw Fail($"block '{block}' defined twice", line);
        var scoped = TryName("scoped");
        TryName("required");
        var body = ParseScope("endblock", function: true);
        if (Current is { Kind: TokenKind.Name } end && end.Value == block) Advance();
        return new NamedBlock(body, scoped, line);
    }

    private Jump ParseJump(Token tag) =>
        _loops > 0 ? new Jump(tag.Value == "break" ? Flow.Break : Flow.Continue, tag.Line) : throw Fail($"'{tag.Value}' outside loop", tag.Line);

    /// <summary>Tags that name another template fail when they are reached: a chat template has no others.</summary>
    private Failing ParseLoader(int line)
    {
        while (Current.Kind is not (TokenKind.TagEnd or TokenKind.End)) Advance();
        return new Failing("no loader for this environment specified", line);
    }

    private Target ParseTarget(string? end = null, bool attributes = false)
    {
        var parts = new List<Target>();
        var isTuple = false;
        while (true)
        {
            if (parts.Count > 0) ExpectOperator(",");
            if (Current.Kind is TokenKind.PrintEnd or TokenKind.TagEnd || IsOperator(")") || (end is not null && IsName(end))) break;
            parts.Add(ParseTargetPart(attributes));
            if (!IsOperator(",")) break;
            isTuple = true;
        }
        if (isTuple) return new TupleTarget([.. parts]);
        return parts.Count == 1 ? parts[0] : throw Fail($"Expected an expression, got '{Current.Description}'", Current.Line);
    }

    private Target ParseTargetPart(bool attributes)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw Fail("the template nests too deeply", Current.Line);
        if (TryOperator("("))
        {
            var inner = ParseTarget();
            ExpectOperator(")");
            return inner;
        }
        if (Current.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Float) throw Fail("can't assign to 'const'", Current.Line);
        if (IsOperator("[")) throw Fail("can't assign to 'list'", Current.Line);
        if (IsOperator("{")) throw Fail("can't assign to 'dict'", Current.Line);
        if (Current.Kind != TokenKind.Name) throw Fail($"unexpected '{Current.Description}'", Current.Line);
        var variable = Advance();
        CheckAssignable(variable);
        return attributes && TryOperator(".")
            ? new AttributeTarget(variable.Value, ExpectKind(TokenKind.Name, "name").Value)
            : new NameTarget(variable.Value);
    }

    private void CheckAssignable(Token variable)
    {
        if (variable.Value is "true" or "True" or "false" or "False" or "none" or "None") throw Fail("can't assign to 'const'", variable.Line);
        if (variable.Value == "loop" && _loops > 0) throw Fail("Can't assign to special loop variable in for-loop", variable.Line);
    }

    private Token Advance()
    {
        var token = Current;
        if (token.Kind != TokenKind.End) _next++;
        return token;
    }

    private bool IsName(string value) => Current.Kind == TokenKind.Name && Current.Value == value;

    private bool IsOperator(string value) => Current.Kind == TokenKind.Operator && Current.Value == value;

    private bool TryName(string value)
    {
        if (!IsName(value)) return false;
        Advance();
        return true;
    }

    private bool TryOperator(string value)
    {
        if (!IsOperator(value)) return false;
        Advance();
        return true;
    }

    private void ExpectName(string value)
    {
        if (!TryName(value)) throw FailExpected(value);
    }

    private void ExpectOperator(string value)
    {
        if (!TryOperator(value)) throw FailExpected(value);
    }

    private void Expect(TokenKind kind) => ExpectKind(kind, new Token(kind, "", 0).Description);

    private Token ExpectKind(TokenKind kind, string description) => Current.Kind == kind ? Advance() : throw FailExpected(description);

    private TemplateException FailExpected(string expected) => Current.Kind == TokenKind.End
        ? Fail($"unexpected end of template, expected '{expected}'.", Current.Line)
        : Fail($"expected token '{expected}', got '{Current.Description}'", Current.Line);

    private TemplateException Fail(string problem, int line) => new(name, line, problem);

    /// <summary>A tag that is not known here, or the end of the template where a tag was awaited.</summary>
    private TemplateException FailAtEnd(string? tag, int line)
    {
        var problem = tag is null ? "Unexpected end of template." : $"Encountered unknown tag '{tag}'.";
        if (_awaited.Count > 0)
        {
            var looking = string.Join(" or ", _awaited[^1].Select(t => $"'{t}'"));
            problem += tag is not null && _awaited.Exists(a => a.Contains(tag))
                ? $" You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for {looking}."
                : $" Jinja was looking for the following tags: {looking}.";
        }
        if (_openTags.Count > 0) problem += $" The innermost block that needs to be closed is '{_openTags[^1]}'.";
        return Fail(problem, line);
    }
}

using System.Runtime.CompilerServices;

namespace LlmTune.Tokenization.Templates;

/// <summary>Expressions, from the weakest binding to the strongest: if, or, and, not, comparison, + −, ~, * / // %, **, sign, postfix.</summary>
internal sealed partial class Parser
{
    private Expression ParseExpression(bool conditions = true)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw Fail("the template nests too deeply", Current.Line);
        if (!conditions) return ParseOr();
        var (line, unknown) = (Current.Line, _unknown.Count);
        var value = ParseOr();
        while (TryName("if"))
        {
            var test = ParseOr();
            var otherwise = TryName("else") ? ParseExpression() : null;
            value = new Conditional(test, value, otherwise, line);
            _unknown.RemoveRange(unknown, _unknown.Count - unknown);
        }
        return value;
    }

    /// <summary>One expression, or several with commas between or after them, which are a tuple.</summary>
    private Expression ParseTuple(bool conditions = true, string? end = null, bool parentheses = false)
    {
        var line = Current.Line;
        var items = new List<Expression>();
        var isTuple = false;
        while (true)
        {
            if (items.Count > 0) ExpectOperator(",");
            if (Current.Kind is TokenKind.PrintEnd or TokenKind.TagEnd || IsOperator(")") || (end is not null && IsName(end))) break;
            items.Add(ParseExpression(conditions));
            if (!IsOperator(",")) break;
            isTuple = true;
        }
        if (!isTuple && items.Count == 1) return items[0];
        if (!isTuple && !parentheses) throw Fail($"Expected an expression, got '{Current.Description}'", Current.Line);
        return new TupleDisplay([.. items], line);
    }

    private Expression ParseOr()
    {
        var left = ParseAnd();
        while (IsName("or"))
        {
            var line = Advance().Line;
            left = new Or(left, ParseAnd(), line);
        }
        return left;
    }

    private Expression ParseAnd()
    {
        var left = ParseNot();
        while (IsName("and"))
        {
            var line = Advance().Line;
            left = new And(left, ParseNot(), line);
        }
        return left;
    }

    private Expression ParseNot()
    {
        if (!IsName("not")) return ParseComparison();
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw Fail("the template nests too deeply", Current.Line);
        var line = Advance().Line;
        return new Not(ParseNot(), line);
    }

    private Expression ParseComparison()
    {
        var line = Current.Line;
        var left = ParseSum();
        List<(Comparison, Expression)>? links = null;
        while (TryComparison() is { } comparison) (links ??= []).Add((comparison, ParseSum()));
        return links switch
        {
            null => left,
            [var (comparison, right)] => new Compare(left, comparison, right, line),
            _ => new CompareChain(left, [.. links], line),
        };
    }

    private Comparison? TryComparison()
    {
        Comparison? comparison = Current switch
        {
            { Kind: TokenKind.Operator, Value: "==" } => Comparison.Equal,
            { Kind: TokenKind.Operator, Value: "!=" } => Comparison.NotEqual,
            { Kind: TokenKind.Operator, Value: "<" } => Comparison.Less,
            { Kind: TokenKind.Operator, Value: "<=" } => Comparison.LessOrEqual,
            { Kind: TokenKind.Operator, Value: ">" } => Comparison.Greater,
            { Kind: TokenKind.Operator, Value: ">=" } => Comparison.GreaterOrEqual,
            { Kind: TokenKind.Name, Value: "in" } => Comparison.In,
            { Kind: TokenKind.Name, Value: "not" } when Following is { Kind: TokenKind.Name, Value: "in" } => Comparison.NotIn,
            _ => null,
        };
        if (comparison is null) return null;
        if (comparison == Comparison.NotIn) Advance();
        Advance();
        return comparison;
    }

    private Expression ParseSum()
    {
        var left = ParseConcatenation();
        while (Current is { Kind: TokenKind.Operator, Value: "+" or "-" })
        {
            var op = Advance();
            var right = ParseConcatenation();
            left = op.Value == "+" ? new Add(left, right, op.Line) : new Subtract(left, right, op.Line);
        }
        return left;
    }

    private Expression ParseConcatenation()
    {
        var first = ParseProduct();
        if (!IsOperator("~")) return first;
        var line = Current.Line;
        var parts = new List<Expression> { first };
        while (TryOperator("~")) parts.Add(ParseProduct());
        return new Concatenate([.. parts], line);
    }

    private Expression ParseProduct()
    {
        var left = ParsePower();
        while (Current is { Kind: TokenKind.Operator, Value: "*" or "/" or "//" or "%" })
        {
            var op = Advance();
            var right = ParsePower();
            left = op.Value switch
            {
                "*" => new Multiply(left, right, op.Line),
                "/" => new Divide(left, right, op.Line),
                "//" => new FloorDivide(left, right, op.Line),
                _ => new Modulo(left, right, op.Line),
            };
        }
        return left;
    }

    private Expression ParsePower()
    {
        var left = ParseUnary();
        while (IsOperator("**"))
        {
            var line = Advance().Line;
            left = new Power(left, ParseUnary(), line);
        }
        return left;
    }

    private Expression ParseUnary(bool filters = true)
    {
        Expression value;
        if (Current is { Kind: TokenKind.Operator, Value: "-" or "+" })
        {
            if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw Fail("the template nests too deeply", Current.Line);
            var op = Advance();
            value = new Sign(op.Value == "-", ParseUnary(filters: false), op.Line);
        }
        else
        {
            value = ParsePrimary();
        }
        value = ParsePostfix(value);
        return filters ? ParseFilterOrTest(value) : value;
    }

    private Expression ParsePrimary()
    {
        var token = Advance();
        switch (token.Kind)
        {
            case TokenKind.Name:
                switch (token.Value)
                {
                    case "true" or "True": return new Constant(Py.True, token.Line);
                    case "false" or "False": return new Constant(Py.False, token.Line);
                    case "none" or "None": return new Constant(null, token.Line);
                }
                foreach (var reads in _macros) reads.Add(token.Value);
                return new Variable(token.Value, token.Line);
            case TokenKind.String:
                var text = token.Value;
                if (Current.Kind == TokenKind.String)
                {
                    var parts = new System.Text.StringBuilder(text);
                    while (Current.Kind == TokenKind.String) parts.Append(Advance().Value);
                    text = parts.ToString();
                }
                return new Constant(text, token.Line);
            case TokenKind.Integer or TokenKind.Float: return new Constant(token.Number, token.Line);
            case TokenKind.Operator when token.Value == "(":
                var inner = ParseTuple(parentheses: true);
                ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Value == "[": return ParseList(token.Line);
            case TokenKind.Operator when token.Value == "{": return ParseDict(token.Line);
            default: throw Fail($"unexpected '{token.Description}'", token.Line);
        }
    }

    private ListDisplay ParseList(int line)
    {
        var items = new List<Expression>();
        while (!IsOperator("]"))
        {
            if (items.Count > 0) ExpectOperator(",");
            if (IsOperator("]")) break;
            items.Add(ParseExpression());
        }
        ExpectOperator("]");
        return new ListDisplay([.. items], line);
    }

    private DictDisplay ParseDict(int line)
    {
        var items = new List<(Expression, Expression)>();
        while (!IsOperator("}"))
        {
            if (items.Count > 0) ExpectOperator(",");
            if (IsOperator("}")) break;
            var key = ParseExpression();
            ExpectOperator(":");
            items.Add((key, ParseExpression()));
        }
        ExpectOperator("}");
        return new DictDisplay([.. items], line);
    }

    private Expression ParsePostfix(Expression value)
    {
        while (Current.Kind == TokenKind.Operator)
        {
            switch (Current.Value)
            {
                case "." or "[": value = ParseSubscript(value); break;
                case "(": value = ParseCall(value); break;
                default: return value;
            }
        }
        return value;
    }

    private Expression ParseSubscript(Expression value)
    {
        var open = Advance();
        if (open.Value == ".")
        {
            var attribute = Advance();
            return attribute.Kind switch
            {
                TokenKind.Name => new Attribute(value, attribute.Value, open.Line),
                TokenKind.Integer => new Item(value, new Constant(attribute.Number, open.Line), open.Line),
                _ => throw Fail("expected name or number", attribute.Line),
            };
        }
        var keys = new List<Expression>();
        Expression? slice = null;
        while (!IsOperator("]"))
        {
            if (keys.Count > 0) ExpectOperator(",");
            var key = ParseKey();
            if (key is SliceKey) slice = key;
            keys.Add(key);
        }
        ExpectOperator("]");
        if (keys is [var only]) return only is SliceKey range ? new Slice(value, range, open.Line) : new Item(value, only, open.Line);
        if (slice is not null) throw Fail("slices of several axes are not supported", open.Line);
        return new Item(value, new TupleDisplay([.. keys], open.Line), open.Line);
    }

    private Expression ParseKey()
    {
        var line = Current.Line;
        var start = IsOperator(":") ? null : ParseExpression();
        if (start is not null && !IsOperator(":")) return start;
        ExpectOperator(":");
        var stop = IsOperator(":") || IsOperator("]") || IsOperator(",") ? null : ParseExpression();
        var step = TryOperator(":") && !IsOperator("]") && !IsOperator(",") ? ParseExpression() : null;
        return new SliceKey(start, stop, step, line);
    }
}

using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace LlmTune.Config;

/// <summary>
/// YAML text to nodes. It reads the parser's events, since YamlDotNet's own tree stops at the first duplicate key and forgets
/// where keys stand. Anchors, aliases and merge keys (<c>&lt;&lt;</c>) work; tags and several documents are mistakes.
/// </summary>
internal sealed class YamlTree
{
    private const int DeepestNesting = 64;
    private const string Missing = "something is missing here, as a colon, a comma or a bracket";

    private readonly Parser _parser;
    private readonly Func<Mark, Place> _place;
    private readonly Problems _problems;
    private readonly Dictionary<AnchorName, ConfigNode> _anchors = [];

    private YamlTree(string text, Func<Mark, Place> place, Problems problems)
    {
        _parser = new Parser(new StringReader(text));
        _place = place;
        _problems = problems;
    }

    /// <summary>The tree of a file's text.</summary>
    public static ConfigNode Read(string text, string source, string folder, Problems problems) =>
        Read(text, mark => new Place(source, folder, mark.Line, mark.Column), problems);

    /// <summary>The tree of a value that was written in one line elsewhere.</summary>
    public static ConfigNode ReadValue(string text, Place place, Problems problems) => Read(text, _ => place, problems);

    private static ConfigNode Read(string text, Func<Mark, Place> place, Problems problems)
    {
        try
        {
            return new YamlTree(text.TrimStart('\uFEFF'), place, problems).Document();
        }
        catch (YamlException e)
        {
            if (IndentingTab(text, e) is { } tab) problems.Add(place(tab), "not valid YAML: a tab in the indentation; use spaces");
            else if (Escape(text, e) is { } escape)
                problems.Add(place(e.End), $"not valid YAML: {escape} is no escape; in double quotes a backslash begins one: write a Windows path in single quotes ('C:\\data') or with slashes (C:/data)");
            else problems.Add(place(e.Start), $"not valid YAML: {char.ToLowerInvariant(e.Message[0])}{e.Message[1..].TrimEnd('.')}");
            throw problems.ToException();
        }
    }

    /// <summary>The commonest cause of a syntax error, which the parser does not name.</summary>
    private static Mark? IndentingTab(string text, YamlException e)
    {
        var lines = text.Split('\n');
        for (var i = (int)e.Start.Line - 1; i < Math.Min(e.End.Line + 1, lines.Length); i++)
        {
            var indent = lines[i].Length - lines[i].TrimStart(' ').Length;
            if (lines[i].AsSpan(indent).StartsWith("\t")) return new Mark(0, i + 1, indent + 1);
        }
        return null;
    }

    /// <summary>What stands after a backslash that begins no escape, where this is the error.</summary>
    private static string? Escape(string text, YamlException e)
    {
        if (!e.Message.Contains("escape", StringComparison.OrdinalIgnoreCase) && !e.Message.Contains("hexadecimal", StringComparison.OrdinalIgnoreCase)) return null;
        var at = (int)Math.Min(e.End.Index, text.Length - 1);
        var slash = at < 0 ? -1 : text.LastIndexOf('\\', at);
        return slash >= 0 && slash + 1 < text.Length && text.IndexOf('\n', slash) is var end && (end < 0 || end > at) ? text.Substring(slash, 2) : null;
    }

    private ConfigNode Document()
    {
        Next<StreamStart>();
        if (_parser.Current is StreamEnd) return new MapNode(_place(new Mark(0, 1, 1)), []);
        Next<DocumentStart>();
        var root = Node("", 0);
        Next<DocumentEnd>();
        if (_parser.Current is DocumentStart second)
            _problems.Add(_place(second.Start), "a second document begins here (---); a run file is one document");
        return root;
    }

    private ConfigNode Node(string path, int depth)
    {
        var start = _place(_parser.Current!.Start);
        if (depth > DeepestNesting)
        {
            _problems.Add(start, $"nested deeper than {DeepestNesting} levels");
            throw _problems.ToException();
        }
        if (_parser.Current is AnchorAlias alias)
        {
            Advance();
            if (_anchors.TryGetValue(alias.Value, out var target)) return target;
            _problems.Add(start, $"*{alias.Value} has no anchor &{alias.Value} before it");
            throw _problems.ToException();
        }
        if (_parser.Current is not NodeEvent opening) throw new YamlException(_parser.Current.Start, _parser.Current.End, Missing);
        if (!opening.Tag.IsEmpty && !opening.Tag.IsNonSpecific && opening.Tag.Value != "tag:yaml.org,2002:str")
            _problems.Add(start, $"the tag {opening.Tag.Value} is not supported; leave it out");
        ConfigNode node = opening switch
        {
            YamlDotNet.Core.Events.Scalar scalar => Scalar(scalar, start),
            SequenceStart => List(path, start, depth),
            _ => Map(path, start, depth),
        };
        if (!opening.Anchor.IsEmpty) _anchors[opening.Anchor] = node;
        return node;
    }

    private ScalarNode Scalar(YamlDotNet.Core.Events.Scalar scalar, Place place)
    {
        Advance();
        return new ScalarNode(place, scalar.Value, Quoted: scalar.Style != ScalarStyle.Plain || !scalar.Tag.IsEmpty);
    }

    private ListNode List(string path, Place place, int depth)
    {
        Next<SequenceStart>();
        List<ConfigNode> items = [];
        while (_parser.Current is not SequenceEnd) items.Add(Node(Paths.Join(path, $"{items.Count}"), depth + 1));
        Next<SequenceEnd>();
        return new ListNode(place, items);
    }

    private MapNode Map(string path, Place place, int depth)
    {
        Next<MappingStart>();
        List<MapEntry> entries = [], merged = [];
        while (_parser.Current is not MappingEnd)
        {
            var key = Node(path, depth + 1);
            var name = (key as ScalarNode)?.Text ?? "";
            var value = Node(Paths.Join(path, name), depth + 1);
            if (key is not ScalarNode scalar)
                _problems.Add(key.Place, $"a key must be a name, got {key.Described}");
            else if (name == "<<" && !scalar.Quoted)
                merged.AddRange(Merged(value));
            else if (entries.Find(entry => entry.Key == name) is { Place.Line: var line })
                _problems.Add(key.Place, $"duplicate key '{name}'{Paths.In(path)}{(line > 0 ? $", first written in line {line}" : "")}");
            else
                entries.Add(new MapEntry(name, key.Place, value));
        }
        Next<MappingEnd>();
        entries.AddRange(merged.DistinctBy(entry => entry.Key).ExceptBy(entries.Select(entry => entry.Key), entry => entry.Key).ToList());
        return new MapNode(place, entries);
    }

    private IReadOnlyList<MapEntry> Merged(ConfigNode value)
    {
        switch (value)
        {
            case MapNode map: return map.Entries;
            case ListNode list when list.Items.All(item => item is MapNode): return [.. list.Items.Cast<MapNode>().SelectMany(map => map.Entries)];
            default:
                _problems.Add(value.Place, $"<< merges a section or a list of sections, got {value.Described}");
                return [];
        }
    }

    private void Next<T>() where T : ParsingEvent
    {
        if (_parser.Current is null) Advance();
        if (_parser.Current is not T)
            throw new YamlException(_parser.Current!.Start, _parser.Current.End, $"expected {typeof(T).Name}, found {_parser.Current}");
        Advance();
    }

    private void Advance()
    {
        try
        {
            _parser.MoveNext();
        }
        catch (Exception e) when (e is not YamlException)   // YamlDotNet's own slip on some broken texts: { b: 1⏎c: 2
        {
            var mark = _parser.Current?.End ?? new Mark(0, 1, 1);
            throw new YamlException(mark, mark, Missing, e);
        }
    }
}

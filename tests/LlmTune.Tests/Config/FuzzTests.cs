using CsCheck;
using LlmTune.Config;
using LlmTune.Recipes;

namespace LlmTune.Tests.Config;

public class FuzzTests
{
    private const string Seed = """
        # a run
        model: &m { path: "a\u0041", dtype: float32 }
        adapter:
          type: lora
          target_modules: [q_proj, 'v_proj']
        data:
          sources:
            - { path: a.jsonl, columns: { prompt: q } }
            - <<: { path: b }
              label: |
                two
                lines
          eval: { fraction: 2e-2 }
        training:
          output_dir: ~/out
          learning_rate: !!float 1e-4
        """;

    private static readonly string[] Pieces = ["\n", "  ", "\t", ":", ": ", "- ", "[", "]", "{", "}", ",", "'", "\"", "&m ", "*m", "!!str ", "<<: ", "|", ">", "#", "? ", "---\n", "...\n", "%", "@", "\0", "é", "\\", "1", "null", "r"];

    private static Gen<string> OneOf(params string[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    /// <summary>A text put together wrongly is read or refused by <see cref="ConfigException"/>; nothing else comes out.</summary>
    [Fact]
    public void Damaged_files_are_refused_in_words() =>
        Gen.Select(Gen.Int[0, Seed.Length - 1], Gen.Int[0, 12], OneOf(Pieces)).Array[1, 6].Sample(
            edits =>
            {
                var text = Seed;
                foreach (var (at, cut, piece) in edits)
                {
                    var start = Math.Min(at, text.Length);
                    text = text[..start] + piece + text[Math.Min(start + cut, text.Length)..];
                }
                try
                {
                    var run = ConfigFile.Parse<RunConfig>(text, "run.yaml");
                    Assert.Equal(run, ConfigFile.Parse<RunConfig>(ConfigFile.ToYaml(run), "run.yaml"));
                }
                catch (ConfigException e)
                {
                    Assert.All(e.Problems, problem => Assert.InRange(problem.Place.Line, 1, text.Split('\n').Length + 1));
                }
            },
            iter: 5_000, print: edits => string.Join(" ", edits.Select(edit => $"({edit.Item1}, {edit.Item2}, {edit.Item3})")));

    /// <summary>A folder may be called with a tab: what a run writes of itself is read again.</summary>
    [Fact]
    public void Odd_paths_survive_a_run_s_own_file()
    {
        var run = ConfigFile.Parse<RunConfig>("model: { path: x }\ndata: { sources: [{ path: a }] }\ntraining: { output_dir: o\tut }", "run.yaml");
        Assert.EndsWith("o\tut", run.Training.OutputDir, StringComparison.Ordinal);
        Assert.Equal(run, ConfigFile.Parse<RunConfig>(ConfigFile.ToYaml(run), "run.yaml"));
    }

    /// <summary>Any text survives being written and read, as YAML and as JSON.</summary>
    [Fact]
    public void Texts_are_written_so_that_they_read_back_equal() =>
        Gen.OneOf(Gen.String, OneOf(Pieces).Array[0, 8].Select(string.Concat), OneOf("yes", "~", "0x1F", " x", "x ", "a: b", "a #b", "- a", "1e3", ".inf", "\u2028", "😀", "\u007F\u0085"))
            .Where(text => text.All(c => !char.IsSurrogate(c)) || text == "😀")
            .Sample(
                text =>
                {
                    var run = ConfigFile.Parse<RunConfig>("model: { path: x }\ndata: { sources: [{ path: a }] }\ntraining: { output_dir: out }", "run.yaml");
                    run = run with { Model = run.Model with { ChatTemplate = "{{ x }}\n" + text }, Data = run.Data with { Sources = [new() { Path = "-", Label = text, Columns = new([new(text, text)]) }] } };
                    Assert.Equal(run, ConfigFile.Parse<RunConfig>(ConfigFile.ToYaml(run), "run.yaml"));
                    Assert.Equal(run, ConfigFile.Parse<RunConfig>(ConfigFile.ToJson(run), "run.yaml"));
                },
                iter: 2_000);
}

using LlmTune.Adapters;
using LlmTune.Config;
using LlmTune.Data;

namespace LlmTune.Recipes.OtherTools;

/// <summary>A translated run as a commented run file of ours.</summary>
public static class TranslatedRun
{
    /// <param name="name">Of the file that is written.</param>
    /// <param name="folder">Where it is written: paths in it are relative to this folder.</param>
    /// <param name="schema">Name of the schema beside it.</param>
    public static string Text(RunFile run, string name, string folder, string schema)
    {
        var from = run.From ?? throw new ArgumentException("not translated", nameof(run));
        return $"""
            # yaml-language-server: $schema={schema}
            #
            # Translated from {Path.GetFileName(from.File)}, a run file of {from.Tool}.
            #
            #   llmtune train {name}
            #
            # Paths are relative to this file. Any setting can be changed for one run, those of training by their own name alone:
            #
            #   llmtune train {name} learning_rate=1e-4 adapter.r=8


            """.ReplaceLineEndings("\n") + ConfigFile.ToCommentedYaml(Relative(run.Config, folder));
    }

    /// <summary>The same run with absolute paths made relative.</summary>
    internal static RunConfig Relative(RunConfig run, string folder)
    {
        return run with
        {
            Model = run.Model with
            {
                Path = Short(run.Model.Path)!,
                Tokenizer = Short(run.Model.Tokenizer),
                ChatTemplate = Short(run.Model.ChatTemplate),
            },
            Adapter = run.Adapter is LoraConfig { Path: { } adapter } lora ? lora with { Path = Short(adapter) } : run.Adapter,
            Data = run.Data with
            {
                Sources = [.. run.Data.Sources.Select(Source)],
                Eval = run.Data.Eval is { Sources: { } sources } eval ? eval with { Sources = [.. sources.Select(Source)] } : run.Data.Eval,
            },
            Training = run.Training with { OutputDir = Short(run.Training.OutputDir)! },
        };

        SourceConfig Source(SourceConfig source) => source with { Path = Short(source.Path), Dir = Short(source.Dir) };

        // A leading ./ says that it is a path, whether anything is there or not.
        string? Short(string? path)
        {
            if (path is null || !Path.IsPathRooted(path)) return path;
            var relative = Path.GetRelativePath(folder, path).Replace('\\', '/');
            return relative.StartsWith('.') || Path.IsPathRooted(relative) ? relative : $"./{relative}";
        }
    }
}

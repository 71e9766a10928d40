namespace LlmTune.Recipes.Quickstart;

/// <summary>What is typed for each step, behind the name of the program; each works again when it is copied.</summary>
public sealed class QuickstartCommands
{
    private readonly QuickstartFolder _folder;
    private readonly QuickstartSize _size;

    internal QuickstartCommands(QuickstartFolder folder, QuickstartSize size, string prompt) => (_folder, _size, Prompt) = (folder, size, prompt);

    /// <summary>A question that was held out.</summary>
    public string Prompt { get; }

    public string Tokenizer =>
        $"tokenizer train {Of(_folder.Texts)} --output {Of(_folder.Tokenizer)} --vocab-size {_size.Vocabulary} --pattern gpt2 "
        + $"--special-tokens {string.Join(' ', QuickstartStory.SpecialTokens.Select(token => $"\"{token}\""))} --force";

    public string InitModel => $"init-model {Of(_folder.Shape)} --tokenizer {Of(_folder.Tokenizer)} --output {Of(_folder.Untrained)} --force";

    public string Pretrain => $"train {Of(_folder.PretrainFile)} --force";

    public string Preview => $"preview {Of(_folder.LoraFile)} --check";

    public string Tune => $"train {Of(_folder.LoraFile)} --force";

    public string Merge => $"merge {Of(_folder.Lora)} --output {Of(_folder.Merged)} --force";

    public string Evaluate =>
        $"eval {Of(_folder.Base)} {Of(_folder.Lora)} {Of(_folder.Merged)} --data {Of(_folder.HeldOut)} --answers {_size.HeldOut} "
        + $"--max-new-tokens {QuickstartStory.MaxNewTokens} --dtype float32 --output {Of(_folder.Evaluation)}";

    public string Generate => $"generate {Of(_folder.Merged)} --dtype float32 --chat --prompt \"{Prompt}\"";

    /// <summary>All of them, in the order in which they build on one another.</summary>
    public IReadOnlyList<string> All => [Tokenizer, InitModel, Pretrain, Preview, Tune, Merge, Evaluate, Generate];

    /// <summary>The same as a shell script.</summary>
    /// <param name="program">What the shell runs for <c>llmtune</c>.</param>
    internal string Script(string program) => $$"""
        #!/bin/sh
        # What llmtune quickstart did, after it had written the data, shape.json and the two run files.
        # Run it where quickstart was run: sh {{Of(_folder.Commands)}}
        set -e
        llmtune() { {{program}} "$@"; }

        {{string.Join("\n", All.Select(command => "llmtune " + command))}}

        """;

    private static string Of(string path) => QuickstartFolder.Shown(path);
}

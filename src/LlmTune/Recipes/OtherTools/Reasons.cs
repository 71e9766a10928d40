using LlmTune.Config;
using LlmTune.Training;

namespace LlmTune.Recipes.OtherTools;

/// <summary>Why keys of other tools have no effect, or are refused, in words that several tables share.</summary>
internal static class Reasons
{
    public const string Speed = "changes the speed, not the result";
    public const string Workers = "all cores prepare the data, or data.num_proc";
    public const string OneDevice = "the run computes on one device";
    public const string Reporting = "metrics.jsonl in the run folder holds every step, and nothing is sent anywhere";
    public const string Hub = "nothing is sent to or fetched from the Hub";
    public const string Code = "models are built in, no code of theirs is run";
    public const string Checkpoints = "the result is written at the end, and no checkpoint on the way";
    public const string Cache = "tokenized data is kept by its content (data.cache)";
    public const string Generating = "belongs to generating text, not to training";
    public const string Float32 = "norms, logits and the loss are computed in float32";

    public const string DevicesNote = "on N devices a step there has N times the rows of one: multiply gradient_accumulation_steps by N to train alike";

    public const string Quantized = "holds the base in few bits, which is not built; leave it out to train on the whole weights (more memory)";
    public const string Dora = "is DoRA, which is not built; leave it out for plain LoRA";
    public const string Resume = "goes on from a checkpoint, which is not built; leave it out to begin anew";
    public const string Tokens = "adds tokens to the model, which is not built; leave it out";
    public const string Neftune = "is noise on the embeddings, which is not built; leave it out";
    public const string LoraPlus = "is a learning rate of its own for B (LoRA+), which is not built; leave it out";
    public const string Best = "chooses among checkpoints, of which there are none; leave it out: the last state is kept";
    public const string Preference = "trains on preferences or rewards, which is not built; supervised fine-tuning is";
    public const string Optimizer = "is an optimizer that is not built; adamw_torch is";
    public const string Eight = "there its state is kept in few bits, here in 32: the same update without rounding, with 8 bytes of state for each trained number";
    public const string Paged = "there its state moves to main memory where the GPU is full, here it stays on the device";
    public const string Scheduler = "is a schedule that is not built; llmtune schema --list names those that are";
    public const string OwnTemplate = "the model's own chat template renders conversations; model.chat_template names another one";

    /// <summary>AdamW under the names that differ in nothing but where its state lies, in how many bits, or by which kernel it is computed.</summary>
    public static readonly (string Theirs, string Ours)[] Optimizers =
    [
        ("adamw_8bit", "adamw_torch_fused"), ("adamw_bnb_8bit", "adamw_torch_fused"), ("paged_adamw_8bit", "adamw_torch_fused"),
        ("adamw_torch_8bit", "adamw_torch_fused"), ("adamw_torch_4bit", "adamw_torch_fused"), ("ao_adamw_8bit", "adamw_torch_fused"),
        ("ao_adamw_4bit", "adamw_torch_fused"),
        ("adamw_torch", "adamw_torch"), ("adamw_torch_fused", "adamw_torch_fused"), ("adamw_hf", "adamw_torch"),
        ("paged_adamw_32bit", "adamw_torch_fused"), ("paged_adamw", "adamw_torch_fused"), ("adamw_apex_fused", "adamw_torch_fused"),
    ];

    public static readonly (string, string)[] Schedulers =
        [.. Enum.GetValues<LrSchedulerType>().Select(type => ConfigFile.Written(type)).Select(name => (name, name))];   // both have transformers' names
}

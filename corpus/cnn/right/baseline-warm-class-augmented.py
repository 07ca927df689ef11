# /// row
# summary = "Task 3: nested Sequential with SiLU; a trainer class with pandas and tqdm; augmented training images"
# right = ["task3_architecture_tests", "task3_training_tests", "task3_accuracy_tests"]
# ///

# %% task3_data
DATASET = "FashionMNIST"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=transforms.Compose([transforms.RandomHorizontalFlip(), transform]))
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}

# %% task3_model
def konw(a, b, **kw):
    return nn.Sequential(nn.Conv2d(a, b, 3, **kw), nn.SiLU())

class Modul(nn.Module):
    def __init__(self, czesci, pool=None, gap=False, bn=None, poprzedni=None, zamroz=False):
        super().__init__()
        self.czesci, self.pool, self.gap, self.bn = nn.ModuleList(czesci), pool, gap, bn
        self.out = nn.LazyLinear(10)
        self(torch.zeros(2, *IMAGE_SHAPE))
        if poprzedni is not None:  # start z wag poprzedniej sieci, gdzie kształty się zgadzają
            stare = poprzedni.state_dict()
            moje = self.state_dict()
            pasuje = {k: v.clone() for k, v in stare.items() if k in moje and moje[k].shape == v.shape}
            self.load_state_dict(moje | pasuje)
        if zamroz:  # pierwsza konwolucja uczy się dopiero od drugiej epoki
            self.czesci[0].requires_grad_(False)

    def mapy(self, x):
        x = self.czesci[0](x)
        x = self.pool(x) if self.pool else x
        x = self.bn(x) if self.bn else x
        for czesc in self.czesci[1:]:
            x = czesc(x)
        return self.pool(x) if self.pool else x

    def forward(self, x):
        x = self.mapy(x)
        return self.out(F.avg_pool2d(x, x.shape[2:]).flatten(1) if self.gap else x.flatten(1))

C = IMAGE_SHAPE[0]

# %% task3_training
from sklearn.metrics import accuracy_score, f1_score

@torch.no_grad()
def przewiduj(model, dane):
    model.eval()
    wyniki, etykiety = [], []
    for x, y in DataLoader(dane, batch_size=200):
        wyniki.append(model(x.to(DEVICE)).cpu())
        etykiety.append(y)
    return torch.cat(wyniki), torch.cat(etykiety)

def ocen(name, model, historia):
    s, y = przewiduj(model, testset)
    models[name], histories[name] = model, historia
    results[name] = dict(accuracy=accuracy_score(y, s.argmax(1)), f1=f1_score(y, s.argmax(1), average="macro"),
                         parameters=sum(p.numel() for p in model.parameters()))
    print(name, results[name])

def pusta():
    return {k: [] for k in ("train_loss", "val_loss", "val_accuracy")}

def dopisz(historia, strata, model, val):
    s, y = przewiduj(model, val)
    historia["train_loss"].append(strata)
    historia["val_loss"].append(F.cross_entropy(s, y).item())
    historia["val_accuracy"].append((s.argmax(1) == y).float().mean().item())

def rysuj(*nazwy):
    for nazwa in nazwy:
        plt.plot(histories[nazwa]["train_loss"], label=f"{nazwa} ucz.")
        plt.plot(histories[nazwa]["val_loss"], "--", label=f"{nazwa} wal.")
    plt.legend(); plt.show()

import pandas as pd
from tqdm.auto import tqdm

class Trener:
    def __init__(self, model, lr=0.01):
        self.model = model
        self.opt = optim.AdamW(model.parameters(), lr=lr)
        self.wiersze = []

    def krok(self, x, y):
        self.opt.zero_grad()
        strata = F.nll_loss(F.log_softmax(self.model(x), dim=1), y)
        strata.backward()
        self.opt.step()
        return strata.detach()

    def epoka(self, loader):
        self.model.train()
        return torch.stack([self.krok(x.to(DEVICE), y.to(DEVICE)) for x, y in tqdm(loader, leave=False)]).mean().item()

    def ucz(self, trening, val, epoki=3):
        for _ in range(epoki):
            strata = self.epoka(DataLoader(trening, batch_size=100, shuffle=True))
            s, y = przewiduj(self.model, val)
            self.wiersze.append({"train_loss": strata, "val_loss": F.cross_entropy(s, y).item(),
                                 "val_accuracy": accuracy_score(y, s.argmax(1))})
        return pd.DataFrame(self.wiersze)

def ucz(name, model):
    print(summary(model, (1, *IMAGE_SHAPE)))
    n = int(0.85 * len(trainset))
    czesc = torch.utils.data.Subset
    tabela = Trener(model).ucz(czesc(trainset, range(n)), czesc(trainset, range(n, len(trainset))))
    display(tabela)
    ocen(name, model, tabela.to_dict("list"))

# %% task3_baseline
ucz("baseline", Modul([konw(C, 8), konw(8, 16)]))
rysuj("baseline")
